use proptest::prelude::*;

use super::*;

fn table(routes: &[&str]) -> Routes<usize> {
    let mut table = Routes::default();
    for (number, route) in routes.iter().enumerate() {
        table.add(route, number).unwrap();
    }
    table
}

/// The route that is found, and what is left for its wildcard.
fn found(routes: &[&str], path: &str) -> Option<(String, String)> {
    let table = table(routes);
    let found = table.find(path)?;
    Some((found.route.raw.clone(), found.rest))
}

#[test]
fn the_most_specific_route_wins() {
    let routes = ["/...", "/a/:x", "/a/b", "/a/:x/c", "/a/..."];
    for (path, expected) in [
        ("/", "/..."),
        ("/zzz", "/..."),
        ("/a/b", "/a/b"),
        ("/a/q", "/a/:x"),
        ("/a/q/c", "/a/:x/c"),
        ("/a/q/d", "/a/..."),
        ("/a", "/a/..."),
    ] {
        let (route, _) = found(&routes, path).unwrap();
        assert_eq!(route, expected, "{path}");
    }
}

#[test]
fn the_longest_wildcard_wins_in_any_order() {
    let mut routes = ["/...", "/one/...", "/one/two/...", "/one/two/three/..."];
    for _ in 0..2 {
        let (route, rest) = found(&routes, "/one/two/three/four").unwrap();
        assert_eq!(
            (route.as_str(), rest.as_str()),
            ("/one/two/three/...", "/four")
        );
        routes.reverse();
    }
}

#[test]
fn a_wildcard_keeps_the_slash_at_the_end() {
    for (path, rest) in [
        ("/test", ""),
        ("/test/", "/"),
        ("/test/hello", "/hello"),
        ("/test/hello/", "/hello/"),
        ("/test/hello%2Fworld/a%20b", "/hello%2Fworld/a%20b"),
    ] {
        let found = found(&["/test/..."], path).unwrap();
        assert_eq!(found.1, rest, "{path}");
    }
    assert_eq!(found(&["/..."], "/").unwrap().1, "/");
    assert_eq!(found(&["/..."], "/1/2/3").unwrap().1, "/1/2/3");
}

#[test]
fn slashes_at_the_end_and_in_a_row_count_as_one() {
    for path in ["/a/b", "/a/b/", "/a//b", "//a/b", "/a/b//"] {
        assert!(found(&["/a/b"], path).is_some(), "{path}");
        assert!(found(&["/a/b/"], path).is_some(), "{path}");
    }
}

#[test]
fn names_are_captured() {
    let table = table(&["/a/:x/b/:y", "/u/:userid/..."]);
    let found = table.find("/a/1/b/2%2F3").unwrap();
    assert_eq!(
        (found.name("x"), found.name("y")),
        (Some("1"), Some("2%2F3"))
    );
    let found = table.find("/u/42/settings").unwrap();
    assert_eq!(found.name("userid"), Some("42"));
    assert_eq!(found.rest, "/settings");
}

#[test]
fn a_colon_inside_a_segment_is_no_name() {
    assert!(found(&["/v1/things:import"], "/v1/things:import").is_some());
    assert!(found(&["/v1/things:import"], "/v1/thingsX").is_none());
}

#[test]
fn a_name_takes_exactly_one_segment() {
    assert!(found(&["/a/:x"], "/a").is_none());
    assert!(found(&["/a/:x"], "/a/1/2").is_none());
}

#[test]
fn an_exact_route_takes_nothing_below_it() {
    assert!(found(&["/a"], "/a/b").is_none());
    assert!(found(&["/a/b"], "/a").is_none());
    assert!(found(&["/"], "/a").is_none());
}

#[test]
fn the_last_of_two_equal_routes_wins() {
    let table = table(&["/a", "/b", "/a"]);
    assert_eq!(*table.find("/a").unwrap().target, 2);
}

#[test]
fn a_route_without_its_slash_is_given_one() {
    assert!(found(&["a"], "/a").is_some());
}

proptest! {
    #[test]
    fn no_route_and_no_path_makes_the_router_panic(
        routes in proptest::collection::vec("[/:*.aé_-]{0,12}", 1..6),
        path in "/[/:*.aé%_-]{0,16}",
    ) {
        let mut table = Routes::default();
        for route in &routes {
            let _ = table.add(route, ());
        }
        if let Some(found) = table.find(&path) {
            prop_assert!(routes.contains(&found.route.raw));
            prop_assert!(found.rest.is_empty() || found.rest.starts_with('/'));
        }
    }
}

#[test]
fn what_is_not_a_route_is_refused() {
    for route in [
        "/a/*/b",
        "/:",
        "/*name",
        "/a/.../*/..",
        "/:a b",
        "/:aé/b",
        "/*.b",
    ] {
        let fault = Routes::default().add(route, ()).unwrap_err().to_string();
        assert!(fault.contains(&format!("{route:?}")), "{fault}");
    }
}

fn headers(route: &str, uri: &str) -> Vec<(String, String)> {
    let table = table(&[route]);
    let uri: http::Uri = uri.parse().unwrap();
    let address = ([127, 0, 0, 1], 8777).into();
    let mut headers = HeaderMap::new();
    headers.insert("spin-client-addr", HeaderValue::from_static("forged"));
    headers.insert("spin-path-match-forged", HeaderValue::from_static("forged"));
    let found = table.find(uri.path()).unwrap();
    found.add_headers(&mut headers, &uri, &Client::new(address, address));
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut headers: Vec<_> = headers.iter().map(text).collect();
    headers.sort();
    headers
}

#[test]
fn a_component_is_told_what_spin_tells_it() {
    let own = |pairs: [(&str, &str); 8]| {
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    assert_eq!(
        headers("/foo/:user_ID/...", "http://a.example:80/foo/42/bar?k=v&k2"),
        own([
            ("spin-base-path", "/"),
            ("spin-client-addr", "127.0.0.1:8777"),
            ("spin-component-route", "/foo/:user_ID"),
            ("spin-full-url", "http://a.example:80/foo/42/bar?k=v&k2"),
            ("spin-matched-route", "/foo/:user_ID/..."),
            ("spin-path-info", "/bar"),
            ("spin-path-match-user-id", "42"),
            ("spin-raw-component-route", "/foo/:user_ID/..."),
        ])
    );
}

#[test]
fn the_root_is_matched_as_nothing() {
    let headers = headers("/", "http://a/");
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).unwrap().1.as_str();
    assert_eq!(value("spin-matched-route"), "");
    assert_eq!(value("spin-raw-component-route"), "/");
    assert_eq!(value("spin-component-route"), "/");
    assert_eq!(value("spin-path-info"), "");
}
