//! Spin's routes: `/exact`, `/:name`, `/rest/...`. The most specific wins, segment by segment:
//! exact before `:name` before `...`. https://spinframework.dev/http-trigger

use anyhow::{anyhow, ensure};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use routefinder::{RouteSpec, Router, Segment};

use super::client::Client;

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
const FOREIGN_PREFIX: &str = "spin-";
const PATH_MATCH_PREFIX: &str = "spin-path-match-";
/// Headers that every component gets, without those of names.
const HEADERS: usize = 7;

/// Targets by route; the last one of two routes that are written alike wins.
pub struct Routes<T> {
    /// Each pattern's place in `entries`.
    router: Router<usize>,
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    route: Route,
    target: T,
}

/// A route, and what its component is told of it.
pub struct Route {
    /// As written in the manifest.
    raw: String,
    matched: HeaderValue,
    written: HeaderValue,
    /// Without its `/...`.
    fixed: HeaderValue,
    /// The header of each `:name`.
    names: Vec<(String, HeaderName)>,
}

/// A target and how its route matched.
pub struct Found<'a, T> {
    pub target: &'a T,
    pub route: &'a Route,
    /// The target's place among all: those added first have the first.
    pub place: usize,
    /// What `/...` stood for, with its leading slash; empty where nothing is left for it.
    pub rest: String,
    /// What each `:name` stood for.
    pub names: Vec<(&'a str, String)>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            entries: Vec::new(),
        }
    }
}

impl<T> Routes<T> {
    /// # Errors
    /// If the route is not one, or has a wildcard that is not at its end.
    pub fn add(&mut self, route: &str, target: T) -> anyhow::Result<()> {
        let mut entries = self.entries.iter_mut();
        if let Some(earlier) = entries.find(|entry| entry.route.raw == route) {
            earlier.target = target;
            return Ok(());
        }
        let not_one = |fault| anyhow!("the route {route:?} is not one: {fault}");
        let path = absolute(route);
        let pattern = match path.strip_suffix("/...") {
            Some(base) => format!("{base}/*"),
            None => path.clone(),
        };
        let pattern: RouteSpec = pattern.parse().map_err(not_one)?;
        ensure!(
            can_be_matched(pattern.segments()) && route.is_ascii(),
            "the route {route:?} is not one: a wildcard stands at its end, a name takes a whole \
             segment, and what is not ASCII is percent-encoded"
        );
        let route = Route::new(route, &path, pattern.segments())?;
        self.router
            .add(pattern, self.entries.len())
            .map_err(|never| match never {})?;
        self.entries.push(Entry { route, target });
        Ok(())
    }

    /// The best match. Slashes at the end do not matter, nor does it how many stand together.
    pub fn find(&self, path: &str) -> Option<Found<'_, T>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let place = *found.handler();
        let Entry { route, target } = &self.entries[place];
        let slash = if path.ends_with('/') { "/" } else { "" };
        let rest = match captures.wildcard() {
            None => String::new(),
            Some("") => slash.to_owned(),
            Some(rest) => format!("/{rest}{slash}"),
        };
        let names = route.names.iter().zip(captures.iter());
        let names = names.map(|((name, _), (_, value))| (name.as_str(), value.to_owned()));
        Some(Found {
            target,
            route,
            place,
            rest,
            names: names.collect(),
        })
    }

    /// Every route as it is written, in the order of their places.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.route.raw.as_str())
    }
}

/// Whether the router can match it: it panics at a path where it can't.
fn can_be_matched(segments: &[Segment]) -> bool {
    segments.windows(2).all(|pair| match pair {
        [Segment::Wildcard, _] => false,
        [Segment::Param(_), next] => matches!(next, Segment::Slash | Segment::Dot),
        _ => true,
    })
}

/// With a slash at the beginning, and without one at the end.
fn absolute(route: &str) -> String {
    let slash = if route.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{route}");
    path.strip_suffix('/').map_or(path.clone(), str::to_owned)
}

impl Route {
    fn new(raw: &str, path: &str, segments: &[Segment]) -> anyhow::Result<Self> {
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| anyhow!("the route {raw:?} is not one"))
        };
        let mut names = Vec::new();
        for segment in segments {
            let Segment::Param(name) = segment else {
                continue;
            };
            let header = name.to_ascii_lowercase().replace('_', "-");
            let header = HeaderName::try_from(format!("{PATH_MATCH_PREFIX}{header}"));
            let header = header.map_err(|_| {
                anyhow!("the route {raw:?} is not one: {name:?} cannot be part of a header's name")
            })?;
            names.push((name.to_string(), header));
        }
        Ok(Self {
            raw: raw.to_owned(),
            matched: value(path)?,
            written: value(raw)?,
            fixed: value(raw.strip_suffix("/...").unwrap_or(raw))?,
            names,
        })
    }
}

impl<T> Found<'_, T> {
    /// What a `:name` stood for.
    pub fn name(&self, name: &str) -> Option<&str> {
        let mut names = self.names.iter();
        names
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Tells the component how it was found, as Spin does. What a client sent under such names is
    /// dropped.
    pub fn add_headers(&self, headers: &mut HeaderMap, uri: &http::Uri, client: &Client) {
        let foreign = |name: &&HeaderName| name.as_str().starts_with(FOREIGN_PREFIX);
        let foreign: Vec<HeaderName> = headers.keys().filter(foreign).cloned().collect();
        for name in foreign {
            headers.remove(name);
        }
        headers.reserve(HEADERS + self.names.len());
        let Route {
            matched,
            written,
            fixed,
            names,
            ..
        } = self.route;
        headers.insert(MATCHED_ROUTE, matched.clone());
        headers.insert(BASE_PATH, HeaderValue::from_static("/"));
        headers.insert(RAW_COMPONENT_ROUTE, written.clone());
        headers.insert(COMPONENT_ROUTE, fixed.clone());
        headers.insert(CLIENT_ADDR, client.address.clone());
        // What comes out of a target is printable.
        if let Ok(url) = HeaderValue::try_from(uri.to_string()) {
            headers.insert(FULL_URL, url);
        }
        if let Ok(rest) = HeaderValue::from_str(&self.rest) {
            headers.insert(PATH_INFO, rest);
        }
        for ((_, header), (_, value)) in names.iter().zip(&self.names) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(header.clone(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
