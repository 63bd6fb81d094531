//! Both adapters give the same answers.

use praxis_host::capabilities::index::{Change, GeoPoint, Query, Value};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::shops::*;

const SHOPS_MAX: usize = 1_500;
const QUERIES: usize = 80;
const TRADES: [&str; 5] = ["bakery", "butcher", "café", "grocer", "kiosk"];
const WORDS: [&str; 8] = ["Anna", "Änne", "Öhm", "Straße", "O'Neil", "Café", "Kaffee", "7"];

#[tokio::test]
async fn both_adapters_find_the_same_in_the_same_order_with_the_same_scores() {
    let folder = tempfile::tempdir().unwrap();
    let server_folder = tempfile::tempdir().unwrap();
    let server = opensearch_server(server_folder.path()).await;
    let embedded = embedded(folder.path());
    let opensearch = opensearch(&server.url());
    let mut random = StdRng::seed_from_u64(20_261_122);

    let changes = directory(&mut random);
    for batch in changes.chunks(500) {
        let here = embedded.apply(SHOPS, batch).await.unwrap();
        let there = opensearch.apply(SHOPS, batch).await.unwrap();
        assert_eq!(here, there);
    }
    let mut hits = 0;
    for _ in 0..QUERIES {
        let query = query(&mut random);
        // Scores of 64 bits here, of 32 there: a cursor is its adapter's own.
        let (mut query_here, mut query_there) = (query.clone(), query.clone());
        for _ in 0..3 {
            let here = search(&embedded, &query_here).await;
            let there = search(&opensearch, &query_there).await;
            assert_eq!(ids(&here), ids(&there), "{query:?}");
            assert_eq!(here.total, there.total, "{query:?}");
            assert_eq!(here.next.is_some(), there.next.is_some(), "{query:?}");
            for (a, b) in here.hits.iter().zip(&there.hits) {
                let tolerance = 1e-4 * a.score.max(1.0);
                assert!((a.score - b.score).abs() <= tolerance, "{a:?} {b:?} {query:?}");
                assert_eq!(a.fields, b.fields);
                assert_eq!(a.distance_m, b.distance_m);
            }
            hits += here.hits.len();
            if here.next.is_none() {
                break;
            }
            query_here.cursor = here.next;
            query_there.cursor = there.next;
        }
    }
    assert!(hits > 1_000, "only {hits} hits: the queries compare too little");
}

/// Shops around Munich, some with everything, some without this or that, and their later changes.
fn directory(random: &mut StdRng) -> Vec<Change> {
    let mut changes = Vec::new();
    for _ in 0..2 * SHOPS_MAX {
        let id = format!("shop-{}", random.random_range(0..SHOPS_MAX));
        let version = random.random_range(1..4);
        let mut fields = Vec::new();
        if random.random_bool(0.9) {
            fields.push(trade(TRADES[random.random_range(0..TRADES.len())]));
        }
        if random.random_bool(0.9) {
            let words: Vec<_> = (0..random.random_range(1..4))
                .map(|_| WORDS[random.random_range(0..WORDS.len())])
                .collect();
            fields.push(name(&words.join(["-", " ", ", "][random.random_range(0..3)])));
        }
        if random.random_bool(0.9) {
            fields.push(field("place", Value::Geo(point(random, 0.6))));
        }
        if random.random_bool(0.8) {
            fields.push(stars(f64::from(random.random_range(2..=10)) / 2.0));
        }
        if random.random_bool(0.9) {
            fields.push(active(random.random_bool(0.8)));
        }
        changes.push(shop(&id, version, fields));
        changes.push(hours(&id, version, random.random_range(0..1_000)));
    }
    changes
}

fn query(random: &mut StdRng) -> Query {
    let mut query = all();
    query.limit = random.random_range(1..40);
    let center = point(random, 0.3);
    if random.random_bool(0.7) {
        query.filter.push(of_trade(TRADES[random.random_range(0..TRADES.len())]));
    }
    if random.random_bool(0.7) {
        query.filter.push(near(center, random.random_range(1_000.0..60_000.0)));
    }
    if random.random_bool(0.5) {
        query.filter.push(is_active(random.random_bool(0.8)));
    }
    if random.random_bool(0.5) {
        let from = random.random_range(0..800);
        query.filter.push(opens(Some(from), Some(from + 400)));
    }
    if random.random_bool(0.3) {
        let word = WORDS[random.random_range(0..WORDS.len())];
        let letters = random.random_range(1..=word.chars().count());
        query.filter.push(named(&word.chars().take(letters).collect::<String>()));
    }
    if random.random_bool(0.8) {
        query.score.push(nearness(center, random.random_range(5_000.0..30_000.0)));
        query.distance_from = Some(("place".into(), center));
    }
    if random.random_bool(0.8) {
        query.score.push(by_stars(3.0));
    }
    query
}

/// Six decimals, as directories have them: JSON keeps them to the bit.
fn point(random: &mut StdRng, spread: f64) -> GeoPoint {
    let mut about = |degrees: f64| {
        let degrees: f64 = degrees + random.random_range(-spread..spread);
        (degrees * 1e6).round() / 1e6
    };
    GeoPoint {
        lat: about(MUNICH.lat),
        lon: about(MUNICH.lon),
    }
}
