//! What every adapter does.

use std::collections::BTreeSet;

use futures::future::join_all;
use praxis_host::capabilities::index::{
    Clause, Error, GeoPoint, Indexes, Outcome, Position, Query, Term, Value,
};

use crate::shops::*;

pub async fn a_document_comes_back_as_it_was_applied(indexes: Indexes) {
    let fields = vec![
        active(true),
        field("motto", Value::Text("Alles \"frisch\"\n".into())),
        name("Bäckerei Öhm"),
        field("opens", Value::Date(-1)),
        north(12.5),
        stars(4.25),
        trade("bakery"),
    ];
    apply(&indexes, &[shop("a/b c?ü", 1, fields.clone())]).await;
    let held = indexes.get(SHOPS, "a/b c?ü").await.unwrap();
    assert_eq!(held.as_deref(), Some(&fields[..]));
    let page = search(&indexes, &all()).await;
    assert_eq!(page.hits[0].fields, fields);
    assert_eq!(indexes.get(SHOPS, "nowhere").await.unwrap(), None);
}

pub async fn a_field_can_be_removed(indexes: Indexes) {
    apply(&indexes, &[shop("a", 1, vec![trade("bakery"), stars(2.0)])]).await;
    apply(&indexes, &[shop("a", 2, vec![field("trade", Value::Absent)])]).await;
    let held = indexes.get(SHOPS, "a").await.unwrap();
    assert_eq!(held, Some(vec![stars(2.0)]));
    assert!(found(&indexes, &only(of_trade("bakery"))).await.is_empty());
}

pub async fn a_stale_change_leaves_no_trace(indexes: Indexes) {
    apply(&indexes, &[shop("a", 5, vec![trade("bakery")])]).await;
    let late = [
        shop("a", 5, vec![trade("butcher")]),
        shop("a", 4, vec![trade("grocer")]),
        shop("b", 1, vec![trade("grocer")]),
    ];
    let outcomes = indexes.apply(SHOPS, &late).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stale, Outcome::Stale, Outcome::Applied]);
    assert_eq!(indexes.get(SHOPS, "a").await.unwrap(), Some(vec![trade("bakery")]));
    assert_eq!(found(&indexes, &only(of_trade("grocer"))).await, ["b"]);
}

pub async fn each_source_has_its_own_version(indexes: Indexes) {
    let changes = [
        hours("a", 7, 1_000),
        shop("a", 1, vec![trade("bakery")]),
        hours("a", 6, 500),
        shop("a", 2, vec![trade("butcher")]),
    ];
    let outcomes = indexes.apply(SHOPS, &changes).await.unwrap();
    use Outcome::{Applied, Stale};
    assert_eq!(outcomes, [Applied, Applied, Stale, Applied]);
    apply(&indexes, &[hours("a", 8, 2_000)]).await;
    let held = indexes.get(SHOPS, "a").await.unwrap();
    assert_eq!(held, Some(vec![field("opens", Value::Date(2_000)), trade("butcher")]));
}

pub async fn a_search_sees_what_was_just_applied(indexes: Indexes) {
    let mut version = 0;
    for round in 0..10 {
        let far = f64::from(round) * 20_000.0;
        version += 1;
        let fields = vec![trade("bakery"), active(true), north(far), name("Kiosk Nr")];
        apply(&indexes, &[shop("a", version, fields), hours("a", version, round.into())]).await;
        let mut query = only(near(MUNICH, far + 1.0));
        query.filter.extend([
            of_trade("bakery"),
            is_active(true),
            named("nr kio"),
            opens(Some(round.into()), Some(i64::from(round) + 1)),
        ]);
        assert_eq!(found(&indexes, &query).await, ["a"], "round {round}");
        version += 1;
        apply(&indexes, &[shop("a", version, vec![active(false)])]).await;
        assert!(found(&indexes, &query).await.is_empty(), "round {round}");
    }
}

pub async fn every_clause_must_hold(indexes: Indexes) {
    let shops = [
        shop("near", 1, vec![trade("bakery"), active(true), north(900.0)]),
        shop("far", 1, vec![trade("bakery"), active(true), north(1_100.0)]),
        shop("closed", 1, vec![trade("bakery"), active(false), north(900.0)]),
        shop("other", 1, vec![trade("bakery goods"), active(true), north(900.0)]),
        shop("nowhere", 1, vec![trade("bakery"), active(true)]),
        shop("unknown", 1, vec![trade("bakery"), north(900.0)]),
    ];
    apply(&indexes, &shops).await;
    let mut query = only(of_trade("bakery"));
    query.filter.push(is_active(true));
    query.filter.push(near(MUNICH, 1_000.0));
    assert_eq!(found(&indexes, &query).await, ["near"]);
    assert_eq!(found(&indexes, &only(is_active(false))).await, ["closed"]);
    assert!(found(&indexes, &only(of_trade("Bakery"))).await.is_empty());
}

pub async fn a_date_range_excludes_its_end(indexes: Indexes) {
    let shops = [hours("a", 1, 999), hours("b", 1, 1_000), hours("c", 1, 2_000)];
    apply(&indexes, &shops).await;
    apply(&indexes, &[shop("d", 1, vec![trade("bakery")])]).await;
    let in_range = |from, to| only(opens(from, to));
    assert_eq!(found(&indexes, &in_range(Some(1_000), Some(2_000))).await, ["b"]);
    assert_eq!(found(&indexes, &in_range(Some(1_000), None)).await, ["b", "c"]);
    assert_eq!(found(&indexes, &in_range(None, Some(1_000))).await, ["a"]);
    assert_eq!(found(&indexes, &in_range(None, None)).await, ["a", "b", "c"]);
}

pub async fn a_circle_may_cross_the_date_line_or_hold_a_pole(indexes: Indexes) {
    let at = |id: &str, lat, lon| {
        shop(id, 1, vec![field("place", Value::Geo(GeoPoint { lat, lon }))])
    };
    apply(&indexes, &[at("east", -17.0, 179.95), at("west", -17.0, -179.95)]).await;
    apply(&indexes, &[at("pole", 89.95, 10.0), at("beyond", 89.95, -170.0)]).await;
    let fiji = GeoPoint { lat: -17.0, lon: 180.0 };
    assert_eq!(found(&indexes, &only(near(fiji, 8_000.0))).await, ["east", "west"]);
    let arctic = GeoPoint { lat: 89.99, lon: 10.0 };
    assert_eq!(found(&indexes, &only(near(arctic, 9_000.0))).await, ["beyond", "pole"]);
}

pub async fn words_match_without_case_and_accents(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![name("Café d'Été")]),
        shop("b", 1, vec![name("CAFE-BAR Strauß")]),
        shop("c", 1, vec![name("Teehaus")]),
    ];
    apply(&indexes, &shops).await;
    let cases: [(&str, &[&str]); 10] = [
        ("cafe", &["a", "b"]),
        ("CAFÉ", &["a", "b"]),
        ("caf", &["a", "b"]),
        ("été café", &["a"]),
        ("ete caf", &["a"]),
        ("caf ete", &[]),
        ("bar strauss", &["b"]),
        ("strauß", &["b"]),
        ("  ...  ", &["a", "b", "c"]),
        ("teehaus bar", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(&indexes, &only(named(text))).await, expected, "{text:?}");
    }
}

pub async fn the_score_is_the_product_of_the_factors(indexes: Indexes) {
    let shops = [
        shop("good-far", 1, vec![north(2_000.0), stars(5.0)]),
        shop("bad-near", 1, vec![north(0.0), stars(1.0)]),
        shop("unrated", 1, vec![north(1_000.0)]),
        shop("nowhere", 1, vec![stars(2.0)]),
        shop("worst", 1, vec![north(0.0), stars(0.0)]),
    ];
    apply(&indexes, &shops).await;
    let query = Query {
        score: vec![nearness(MUNICH, 1_000.0), by_stars(3.0)],
        distance_from: Some(("place".into(), MUNICH)),
        ..all()
    };
    let page = search(&indexes, &query).await;
    // 0.5^((far / 1,000)²) × stars, and by id where that is the same.
    let expected = [
        ("nowhere", 2.0, None),
        ("unrated", 1.5, Some(1_000.0)),
        ("bad-near", 1.0, Some(0.0)),
        ("good-far", 0.3125, Some(2_000.0)),
        ("worst", 0.0, Some(0.0)),
    ];
    assert_eq!(ids(&page), expected.map(|(id, _, _)| id));
    for (hit, (id, score, far)) in page.hits.iter().zip(expected) {
        assert!((hit.score - score).abs() < 1e-5, "{id}: {}", hit.score);
        match (hit.distance_m, far) {
            (Some(is), Some(should)) => assert!((is - should).abs() < 0.01, "{id}: {is}"),
            (is, should) => assert_eq!(is, should, "{id}"),
        }
    }
    let unscored = search(&indexes, &all()).await;
    assert!(unscored.hits.iter().all(|hit| hit.score == 1.0 && hit.distance_m.is_none()));
}

pub async fn pages_neither_repeat_nor_skip(indexes: Indexes) {
    // Four ratings for 230 shops: most stand beside others with the same score.
    let shops: Vec<_> = (0..230)
        .map(|at| {
            let fields = vec![stars(f64::from(at % 4) + 0.1), trade("bakery")];
            shop(&format!("shop-{:03}", (at * 37) % 230), 1, fields)
        })
        .collect();
    apply(&indexes, &shops).await;
    for limit in [1, 7, 10, 100] {
        let mut query = Query {
            score: vec![by_stars(0.0)],
            limit,
            ..only(of_trade("bakery"))
        };
        let mut seen = Vec::new();
        loop {
            let page = search(&indexes, &query).await;
            assert_eq!(page.total, 230);
            seen.extend(page.hits.into_iter().map(|hit| (hit.score, hit.id)));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
            assert!(seen.len() <= 230, "a page repeats, with limit {limit}");
        }
        assert_eq!(seen.len(), 230, "limit {limit}");
        let distinct: BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
        assert_eq!(distinct.len(), 230, "limit {limit}");
        let in_order = |a: &(f64, String), b: &(f64, String)| a.0 > b.0 || a.0 == b.0 && a.1 < b.1;
        assert!(seen.windows(2).all(|pair| in_order(&pair[0], &pair[1])), "limit {limit}");
    }
}

pub async fn a_page_that_is_full_by_chance_has_no_next(indexes: Indexes) {
    let shops = ["a", "b", "c"].map(|id| shop(id, 1, vec![]));
    apply(&indexes, &shops).await;
    let page = search(&indexes, &Query { limit: 3, ..all() }).await;
    assert_eq!(ids(&page), ["a", "b", "c"]);
    assert_eq!(page.next, None);
    let behind_all = Position {
        score: 0.0,
        id: "z".into(),
    };
    let cursor = Some(behind_all.encode());
    let page = search(&indexes, &Query { cursor, ..all() }).await;
    assert_eq!((ids(&page), page.total), (vec![], 3));
}

pub async fn many_writers_leave_the_newest_version(indexes: Indexes) {
    let writers = (1..=8).map(|writer| {
        let indexes = indexes.clone();
        async move {
            for round in 0..5 {
                let version = round * 8 + writer;
                let changes = [
                    shop("a", version, vec![stars(version as f64)]),
                    hours("a", version, version as i64),
                ];
                indexes.apply(SHOPS, &changes).await.unwrap();
            }
        }
    });
    join_all(writers).await;
    let held = indexes.get(SHOPS, "a").await.unwrap();
    assert_eq!(held, Some(vec![field("opens", Value::Date(40)), stars(40.0)]));
}

pub async fn what_does_not_fit_the_schema_is_refused(indexes: Indexes) {
    for bad in [trade("x"), stars(1.0)].map(|good| field("name", good.value)) {
        let refused = indexes.apply(SHOPS, &[shop("a", 1, vec![bad])]).await;
        assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("name")));
    }
    let unknown = [shop("b", 1, vec![trade("x")]), shop("a", 1, vec![field("x", Value::Absent)])];
    let refused = indexes.apply(SHOPS, &unknown).await;
    assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("\"x\"")));
    let wrong = Clause::Term(Term {
        field: "name".into(),
        value: "x".into(),
    });
    let refused = indexes.search(SHOPS, &only(wrong)).await;
    assert!(matches!(refused, Err(Error::BadField(why)) if why.contains("name")));
    let elsewhere = indexes.search("houses", &all()).await;
    assert!(matches!(elsewhere, Err(Error::NotGranted(index)) if index == "houses"));
    assert_eq!(search(&indexes, &all()).await.total, 0, "nothing was applied");
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
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains(named)), "{refused:?}");
    }
    let too_many = Query {
        filter: vec![is_active(true); 17],
        ..all()
    };
    let too_many_factors = Query {
        score: vec![by_stars(1.0); 5],
        ..all()
    };
    let queries = [
        ("16", too_many),
        ("4", too_many_factors),
        ("1 to 100", Query { limit: 0, ..all() }),
        ("1 to 100", Query { limit: 101, ..all() }),
        ("cursor", Query { cursor: Some("next".into()), ..all() }),
        ("radius", only(near(MUNICH, 0.0))),
        ("radius", only(near(MUNICH, f64::INFINITY))),
        ("256", only(named(&"x".repeat(257)))),
        ("scale", Query { score: vec![nearness(MUNICH, -1.0)], ..all() }),
    ];
    for (named, query) in queries {
        let refused = indexes.search(SHOPS, &query).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains(named)), "{refused:?}");
    }
}
