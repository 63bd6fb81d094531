//! What every adapter refuses.

use praxis_host::capabilities::index::{
    Clause, Content, Error, Factor, GeoPoint, Indexes, Order, Query, Replacement, SourceVersion,
    Terms, Value, WordsMatch,
};

use crate::shops::*;

pub async fn what_does_not_fit_the_schema_is_refused(indexes: Indexes) {
    for bad in [trade("x"), stars(1.0)].map(|good| field("name", good.value)) {
        let refused = indexes.apply(SHOPS, &[shop("a", 1, vec![bad])]).await;
        assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("name")));
    }
    let unknown = [
        shop("b", 1, vec![trade("x")]),
        shop("a", 1, vec![field("x", Value::Absent)]),
    ];
    let refused = indexes.apply(SHOPS, &unknown).await;
    assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("\"x\"")));
    let wrong = [
        only(Clause::Terms(Terms {
            field: "name".into(),
            values: vec!["x".into()],
        })),
        Query {
            order: Order::Nearest(("name".into(), MUNICH)),
            ..all()
        },
        Query {
            order: Order::Earliest("name".into()),
            ..all()
        },
    ];
    for wrong in wrong {
        let refused = indexes.search(SHOPS, &wrong).await;
        assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("name")));
    }
    let elsewhere = indexes.search("houses", &all()).await;
    assert!(matches!(elsewhere, Err(Error::NotGranted(index)) if index == "houses"));
    assert_eq!(
        search(&indexes, &all()).await.total,
        0,
        "nothing was applied"
    );
}

pub async fn a_broken_limit_is_named(indexes: Indexes) {
    let changes = [
        ("id", vec![shop("", 1, vec![])]),
        ("128", vec![shop(&"x".repeat(129), 1, vec![])]),
        ("500", vec![shop("a", 1, vec![]); 501]),
        ("256", vec![shop("a", 1, vec![trade(&"x".repeat(257))])]),
        ("stars", vec![shop("a", 1, vec![stars(f64::NAN)])]),
        ("stars", vec![shop("a", 1, vec![stars(-1.0)])]),
        ("globe", vec![shop("a", 1, vec![north(6e6)])]),
        ("time", vec![hours("a", 1, i64::MAX)]),
        ("version", vec![shop("a", u64::MAX, vec![])]),
    ];
    for (named, changes) in changes {
        let refused = indexes.apply(SHOPS, &changes).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.contains(named)),
            "{refused:?}"
        );
    }
    let becomes = |versions, fields| Replacement {
        id: "a".into(),
        seen: None,
        becomes: Some(Content { versions, fields }),
    };
    let of = |source: &str, version| SourceVersion {
        source: source.into(),
        version,
    };
    let replacements = [
        ("1 to 32", becomes(vec![], vec![tongues(&[])])),
        ("twice", becomes(vec![], vec![tongues(&["de", "tr", "de"])])),
        ("version", becomes(vec![of("profile", u64::MAX)], vec![])),
        ("source", becomes(vec![of("", 1)], vec![])),
        ("twice", becomes(vec![of("x", 1), of("x", 2)], vec![])),
        ("16", becomes(vec![of("x", 1); 17], vec![])),
        ("stars", becomes(vec![], vec![stars(-1.0)])),
    ];
    for (named, replacement) in replacements {
        let refused = indexes.replace(SHOPS, replacement).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.contains(named)),
            "{refused:?}"
        );
    }
    for limit in [0, 501] {
        let refused = indexes.scan(SHOPS, None, limit).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.contains("1 to 500")),
            "{refused:?}"
        );
    }
    let too_many = Query {
        filter: vec![is_active(true); 17],
        ..all()
    };
    let too_many_factors = Query {
        score: vec![by_stars(1.0); 5],
        ..all()
    };
    let counting = |facet| Query {
        facets: vec![facet],
        ..all()
    };
    let queries = [
        ("16", too_many),
        ("4", too_many_factors),
        ("1 to 32", only(of_trades(&[]))),
        ("1 to 32", only(of_trades(&["x"; 33]))),
        ("256", only(of_trades(&["x", &"x".repeat(257)]))),
        (
            "4 facets",
            Query {
                facets: vec![trades_counted(1); 5],
                ..all()
            },
        ),
        ("1 to 100", counting(trades_counted(0))),
        ("1 to 100", counting(trades_counted(101))),
        ("2 to 63", counting(openings_counted(&[1]))),
        (
            "2 to 63",
            counting(openings_counted(&Vec::from_iter(0..64))),
        ),
        ("ascend", counting(openings_counted(&[1, 2, 2]))),
        ("time", counting(openings_counted(&[1, i64::MAX]))),
        (
            "globe",
            Query {
                order: nearest(GeoPoint {
                    lat: f64::NAN,
                    lon: 0.0,
                }),
                ..all()
            },
        ),
        ("1 to 100", Query { limit: 0, ..all() }),
        (
            "1 to 100",
            Query {
                limit: 101,
                ..all()
            },
        ),
        (
            "cursor",
            Query {
                cursor: Some("next".into()),
                ..all()
            },
        ),
        ("radius", only(near(MUNICH, 0.0))),
        ("radius", only(near(MUNICH, f64::INFINITY))),
        ("256", only(named(&"x".repeat(257)))),
        (
            "scale",
            Query {
                score: vec![nearness(MUNICH, -1.0)],
                ..all()
            },
        ),
        (
            "otherwise",
            Query {
                score: vec![Factor::WordsMatch(WordsMatch {
                    field: "name".into(),
                    text: "x".into(),
                    beginning: f64::NAN,
                    otherwise: 0.5,
                })],
                ..all()
            },
        ),
    ];
    for (named, query) in queries {
        let refused = indexes.search(SHOPS, &query).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.contains(named)),
            "{refused:?}"
        );
    }
}
