//! What passes for a route matches paths, and panics at none.

use praxis_host::manifest::route;
use praxis_host::triggers::http::routes::Routes;
use proptest::prelude::*;

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,3}",
        2 => ":[a-z]{1,3}",
        1 => "[a-z:.*/ é?]{0,4}",
        1 => Just("...".to_owned()),
        1 => Just("*".to_owned()),
        1 => Just(String::new()),
        1 => ":[a-z]\\.[a-z]{1,2}",
    ]
}

fn written() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(segment(), 0..5);
    (segments, prop::bool::weighted(0.9)).prop_map(|(segments, slash)| {
        let slash = if slash { "/" } else { "" };
        format!("{slash}{}", segments.join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec("[a-z.]{0,3}", 0..6)
            .prop_map(|parts| format!("/{}", parts.join("/"))),
        "/\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn what_passes_for_a_route_never_makes_the_router_panic(
        routes in prop::collection::vec(written(), 1..8),
        paths in prop::collection::vec(path(), 1..8),
    ) {
        let mut table = Routes::default();
        for route in &routes {
            if route::check(route).is_ok() {
                prop_assert!(table.add(route, ()).is_ok(), "{}", route);
            }
        }
        for path in &paths {
            let _ = table.find(path);
        }
    }

    #[test]
    fn any_text_is_a_route_or_none(text in "\\PC{0,40}") {
        let _ = route::check(&text);
        let _ = route::shape(&text);
    }

    #[test]
    fn a_route_matches_the_path_that_its_names_stand_for(
        segments in prop::collection::vec("(:?)[a-z]{1,5}", 1..5),
        rest in prop::bool::ANY,
    ) {
        let tail = if rest { "/..." } else { "" };
        let written = format!("/{}{tail}", segments.join("/"));
        prop_assert_eq!(route::check(&written), Ok(()));
        let mut table = Routes::default();
        table.add(&written, ()).unwrap();
        let path = format!("/{}", segments.join("/").replace(':', ""));
        prop_assert!(table.find(&path).is_some(), "{} {}", written, path);
        let longer = format!("{path}/more");
        prop_assert_eq!(table.find(&longer).is_some(), rest, "{} {}", written, longer);
    }
}
