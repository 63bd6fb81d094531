//! What every adapter does.

use std::collections::BTreeSet;

use futures::future::join_all;
use praxis_host::capabilities::index::{GeoPoint, Indexes, Outcome, Query, Value};

use crate::shops::*;

pub async fn a_document_comes_back_as_it_was_applied(indexes: Indexes) {
    let fields = vec![
        active(true),
        field("motto", Value::Text("Alles \"frisch\"\n".into())),
        name("Bäckerei Öhm"),
        field("opens", Value::Date(-1)),
        north(12.5),
        stars(4.25),
        tongues(&["de", "tr"]),
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
    apply(
        &indexes,
        &[shop("a", 2, vec![field("trade", Value::Absent)])],
    )
    .await;
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
    assert_eq!(
        indexes.get(SHOPS, "a").await.unwrap(),
        Some(vec![trade("bakery")])
    );
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
    assert_eq!(
        held,
        Some(vec![field("opens", Value::Date(2_000)), trade("butcher")])
    );
}

pub async fn a_search_sees_what_was_just_applied(indexes: Indexes) {
    let mut version = 0;
    for round in 0..10 {
        let far = f64::from(round) * 20_000.0;
        version += 1;
        let fields = vec![trade("bakery"), active(true), north(far), name("Kiosk Nr")];
        apply(
            &indexes,
            &[
                shop("a", version, fields),
                hours("a", version, round.into()),
            ],
        )
        .await;
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
        shop(
            "far",
            1,
            vec![trade("bakery"), active(true), north(1_100.0)],
        ),
        shop(
            "closed",
            1,
            vec![trade("bakery"), active(false), north(900.0)],
        ),
        shop(
            "other",
            1,
            vec![trade("bakery goods"), active(true), north(900.0)],
        ),
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

pub async fn any_of_several_terms_is_enough(indexes: Indexes) {
    let trades = ["bakery", "butcher", "grocer"];
    let mut shops: Vec<_> = trades
        .iter()
        .map(|of| shop(of, 1, vec![trade(of), north(900.0)]))
        .collect();
    shops.push(shop("far", 1, vec![trade("bakery"), north(900_000.0)]));
    shops.push(shop("unknown", 1, vec![north(900.0)]));
    apply(&indexes, &shops).await;
    let mut query = only(of_trades(&["grocer", "bakery", "kiosk", "bakery"]));
    assert_eq!(found(&indexes, &query).await, ["bakery", "far", "grocer"]);
    query.filter.push(near(MUNICH, 1_000.0));
    assert_eq!(found(&indexes, &query).await, ["bakery", "grocer"]);
    // More cells than are looked up with each of the values.
    let many: Vec<_> = (0..31).map(|at| format!("trade {at}")).collect();
    let mut many: Vec<_> = many.iter().map(String::as_str).collect();
    many.push("bakery");
    let mut wide = only(of_trades(&many));
    wide.filter.push(near(MUNICH, 100_000.0));
    assert_eq!(found(&indexes, &wide).await, ["bakery"]);
    query.filter.push(of_trade("grocer"));
    assert_eq!(found(&indexes, &query).await, ["grocer"]);
}

pub async fn a_date_range_excludes_its_end(indexes: Indexes) {
    let shops = [
        hours("a", 1, 999),
        hours("b", 1, 1_000),
        hours("c", 1, 2_000),
    ];
    apply(&indexes, &shops).await;
    apply(&indexes, &[shop("d", 1, vec![trade("bakery")])]).await;
    let in_range = |from, to| only(opens(from, to));
    assert_eq!(
        found(&indexes, &in_range(Some(1_000), Some(2_000))).await,
        ["b"]
    );
    assert_eq!(
        found(&indexes, &in_range(Some(1_000), None)).await,
        ["b", "c"]
    );
    assert_eq!(found(&indexes, &in_range(None, Some(1_000))).await, ["a"]);
    assert_eq!(
        found(&indexes, &in_range(None, None)).await,
        ["a", "b", "c"]
    );
}

pub async fn a_circle_may_cross_the_date_line_or_hold_a_pole(indexes: Indexes) {
    let at = |id: &str, lat, lon| {
        shop(
            id,
            1,
            vec![field("place", Value::Geo(GeoPoint { lat, lon }))],
        )
    };
    apply(
        &indexes,
        &[at("east", -17.0, 179.95), at("west", -17.0, -179.95)],
    )
    .await;
    apply(
        &indexes,
        &[at("pole", 89.95, 10.0), at("beyond", 89.95, -170.0)],
    )
    .await;
    let fiji = GeoPoint {
        lat: -17.0,
        lon: 180.0,
    };
    assert_eq!(
        found(&indexes, &only(near(fiji, 8_000.0))).await,
        ["east", "west"]
    );
    let arctic = GeoPoint {
        lat: 89.99,
        lon: 10.0,
    };
    assert_eq!(
        found(&indexes, &only(near(arctic, 9_000.0))).await,
        ["beyond", "pole"]
    );
}

/// All as far from the pole, but for what rounding makes of it.
pub async fn of_those_that_are_alike_none_is_lost(indexes: Indexes) {
    let at = |lon: i32| {
        let place = GeoPoint {
            lat: 89.95,
            lon: f64::from(lon),
        };
        let fields = vec![field("place", Value::Geo(place)), stars(4.0)];
        shop(&format!("shop-{:03}", lon + 180), 1, fields)
    };
    let shops: Vec<_> = (-180..180).step_by(10).map(at).collect();
    apply(&indexes, &shops).await;
    let pole = GeoPoint {
        lat: 90.0,
        lon: 0.0,
    };
    let query = Query {
        score: vec![nearness(pole, 12_500.0), by_stars(3.0)],
        limit: 100,
        ..only(near(pole, 25_000.0))
    };
    let page = search(&indexes, &query).await;
    let seen: BTreeSet<_> = page.hits.iter().map(|hit| hit.id.clone()).collect();
    assert_eq!((page.hits.len(), page.total), (shops.len(), 36));
    assert_eq!(seen.len(), shops.len());
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
    assert!(
        unscored
            .hits
            .iter()
            .all(|hit| hit.score == 1.0 && hit.distance_m.is_none())
    );
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
    assert_eq!(
        held,
        Some(vec![field("opens", Value::Date(40)), stars(40.0)])
    );
}
