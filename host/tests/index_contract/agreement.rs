//! Both adapters give the same answers.

use std::time::Instant;

use futures::StreamExt as _;
use praxis_host::capabilities::index::geo::distance_m;
use praxis_host::capabilities::index::{GeoPoint, Indexes, Order, Page, Query};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::directory::{HOUR_MS, OPENS_MAX, Shop, shops};
use crate::shops::*;

/// Each with an index and a server of its own: more of them than one holds would not be told apart.
const REGIONS: usize = 20;
const QUERIES: usize = 500;
/// Of every so many queries, one is followed over its pages.
const FOLLOWED_EVERY: usize = 4;
const PAGES_MAX: usize = 3;
const AT_ONCE: usize = 4;
/// The test server also finds what stands a little beyond a circle's radius (0.08% at most, as
/// measured), so here nothing stands there. Its distances in scores are exact.
const RIM: f64 = 1.0015;
/// It tells scores with the 32 bits that the real one ranks by, but ranks by 64, and measures
/// distances in an order with two parts in a million. Whatever is closer than this is not asked for.
const SCORES_APART: f64 = 1e-6;
const DISTANCES_APART: f64 = 4e-6;

#[tokio::test(flavor = "multi_thread")]
async fn both_adapters_find_the_same_in_the_same_order_with_the_same_scores() {
    let mut random = StdRng::seed_from_u64(20_261_122);
    let begun = Instant::now();
    let mut hits = 0;
    for _ in 0..REGIONS {
        hits += same_hits(&mut random).await;
    }
    let elapsed = begun.elapsed();
    let queries = REGIONS * QUERIES;
    eprintln!("{queries} queries over {REGIONS} regions, {hits} hits: {elapsed:.1?}");
    assert!(
        hits > queries * 5,
        "only {hits} hits: the queries compare too little"
    );
}

/// How many hits of a region's directory were the same.
async fn same_hits(random: &mut StdRng) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let server_folder = tempfile::tempdir().unwrap();
    let server = opensearch_server(server_folder.path()).await;
    let embedded = embedded(folder.path());
    let opensearch = opensearch(&server.url());

    let shops = shops(random);
    // Some are told late, some again, some after what came later.
    let mut changes: Vec<_> = shops
        .iter()
        .rev()
        .flat_map(|shop| shop.changes(2))
        .collect();
    for at in 0..shops.len() {
        let other = &shops[(at * 7) % shops.len()];
        let told = Shop {
            id: shops[at].id.clone(),
            ..other.clone()
        };
        let before = random.random_range(0..=changes.len());
        changes.splice(before..before, told.changes(1));
    }
    for batch in changes.chunks(500) {
        let here = embedded.apply(SHOPS, batch).await.unwrap();
        let there = opensearch.apply(SHOPS, batch).await.unwrap();
        assert_eq!(here, there);
    }

    let queries: Vec<_> = (0..QUERIES).map(|_| query(random, &shops)).collect();
    let compared = futures::stream::iter(queries.iter().enumerate())
        .map(|(number, query)| {
            let pages = match number % FOLLOWED_EVERY {
                0 => PAGES_MAX,
                _ => 1,
            };
            compare(&embedded, &opensearch, query, pages)
        })
        .buffer_unordered(AT_ONCE);
    compared.fold(0, async |all, hits| all + hits).await
}

/// How many hits were the same.
async fn compare(embedded: &Indexes, opensearch: &Indexes, query: &Query, pages: usize) -> usize {
    // A cursor is its adapter's own.
    let (mut query_here, mut query_there) = (query.clone(), query.clone());
    let mut hits = 0;
    let mut rounded = None;
    for _ in 0..pages {
        let here = search(embedded, &query_here).await;
        // The test server tells 32 bits of the score that a page ends with: of those behind it with
        // the same 64, it would find none or all.
        let begins = here.hits.first().map(|hit| hit.score);
        if query.order == Order::Score && rounded.is_some() && rounded == begins {
            break;
        }
        let there = search(opensearch, &query_there).await;
        let told = |page: &Page| {
            let hits = page.hits.iter();
            let hits = hits.map(|hit| (hit.id.clone(), hit.score, hit.distance_m));
            hits.collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&here),
            ids(&there),
            "{:#?} {:#?} {query:?}",
            told(&here),
            told(&there)
        );
        assert_eq!(here.total, there.total, "{query:?}");
        assert_eq!(here.facets, there.facets, "{query:?}");
        assert_eq!(here.next.is_some(), there.next.is_some(), "{query:?}");
        for (a, b) in here.hits.iter().zip(&there.hits) {
            let tolerance = 1e-4 * a.score.max(1.0);
            assert!(
                (a.score - b.score).abs() <= tolerance,
                "{a:?} {b:?} {query:?}"
            );
            assert_eq!(a.fields, b.fields);
            assert_eq!(a.distance_m, b.distance_m);
        }
        let last = here.hits.iter().zip(&there.hits).next_back();
        let is_rounded = |score: f64| f64::from(score as f32) != score;
        rounded =
            last.and_then(|(a, b)| (a.score != b.score || is_rounded(a.score)).then_some(a.score));
        hits += here.hits.len();
        if here.next.is_none() {
            break;
        }
        query_here.cursor = here.next;
        query_there.cursor = there.next;
    }
    hits
}

/// One that tells all shops apart.
fn query(random: &mut StdRng, shops: &[Shop]) -> Query {
    loop {
        let center = center(random, shops);
        let decay_m = random
            .random_bool(0.8)
            .then(|| random.random_range(30_000.0..60_000.0));
        let missing = random.random_bool(0.8).then_some(3.0);
        let text = random.random_bool(0.25).then(|| name_of(random, shops));
        let text = text.flatten();
        let mut query = any(random, shops, center);
        query.order = match random.random_range(0..3) {
            0 => Order::Score,
            1 => nearest(center),
            _ => earliest(),
        };
        query
            .score
            .extend(decay_m.map(|scale_m| nearness(center, scale_m)));
        query.score.extend(missing.map(by_stars));
        query.score.extend(text.as_deref().map(called));
        let is_clear = match query.order {
            Order::Score => {
                let decay = decay_m.map(|scale_m| (center, scale_m));
                let scores = shops
                    .iter()
                    .map(|shop| shop.score(decay, missing, text.as_deref()));
                are_apart(scores.collect(), SCORES_APART)
            }
            Order::Nearest(_) => {
                let places = shops.iter().filter_map(|shop| shop.place);
                let far = places.map(|place| distance_m(center, place));
                are_apart(far.collect(), DISTANCES_APART)
            }
            Order::Earliest(_) => true,
        };
        if is_clear {
            return query;
        }
    }
}

/// The clauses, the facets and the page.
fn any(random: &mut StdRng, shops: &[Shop], center: GeoPoint) -> Query {
    let mut query = all();
    query.limit = random.random_range(1..25);
    if random.random_bool(0.5) {
        let trades: Vec<_> = (0..random.random_range(1..6))
            .filter_map(|_| one(random, shops).trade.as_deref())
            .collect();
        query
            .filter
            .extend((!trades.is_empty()).then(|| of_trades(&trades)));
    }
    if random.random_bool(0.6)
        && let Some(radius_m) = radius(random, center, shops)
    {
        query.filter.push(near(center, radius_m));
    }
    if random.random_bool(0.5) {
        query.filter.push(is_active(random.random_bool(0.9)));
    }
    if random.random_bool(0.5) {
        let from = random.random_range(0..OPENS_MAX) * HOUR_MS;
        let to = from + random.random_range(1..OPENS_MAX) * HOUR_MS;
        query.filter.push(match random.random_range(0..3) {
            0 => opens(Some(from), None),
            1 => opens(None, Some(to)),
            _ => opens(Some(from), Some(to)),
        });
    }
    if random.random_bool(0.25)
        && let Some(asked) = name_of(random, shops)
    {
        query.filter.push(match random.random_bool(0.5) {
            true => named_nearly(&with_a_typo(random, &asked)),
            false => named(&asked),
        });
    }
    if random.random_bool(0.25) {
        let tongues = &one(random, shops).tongues;
        let tongues: Vec<_> = tongues.iter().map(String::as_str).collect();
        query
            .filter
            .extend((!tongues.is_empty()).then(|| speaks(&tongues)));
    }
    if random.random_bool(0.15) {
        query
            .facets
            .push(tongues_counted(random.random_range(1..9)));
    }
    if random.random_bool(0.15) {
        query
            .facets
            .push(trades_counted(random.random_range(1..40)));
    }
    if random.random_bool(0.15) {
        let first = random.random_range(-24..OPENS_MAX) * HOUR_MS;
        let bounds: Vec<_> = (0..random.random_range(2..16))
            .map(|day| first + day * 24 * HOUR_MS)
            .collect();
        query.facets.push(openings_counted(&bounds));
    }
    if random.random_bool(0.8) {
        query.distance_from = Some(("place".into(), center));
    }
    query
}

/// Words of one of their names.
fn name_of(random: &mut StdRng, shops: &[Shop]) -> Option<String> {
    let name = one(random, shops).name.as_deref()?;
    Some(asked(random, name))
}

/// Some words of a name, the last perhaps not whole, as somebody types them.
fn asked(random: &mut StdRng, name: &str) -> String {
    let mut words: Vec<_> = name.split_whitespace().collect();
    while words.len() > 1 && random.random_bool(0.7) {
        words.remove(random.random_range(0..words.len()));
    }
    let text = words.join([" ", "-", ", "][random.random_range(0..3)]);
    let letters = text.chars().count();
    let text: String = text
        .chars()
        .take(random.random_range(letters.min(3)..=letters))
        .collect();
    match random.random_range(0..3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text,
    }
}

/// A letter more, less or other, or two that changed places; or none.
fn with_a_typo(random: &mut StdRng, text: &str) -> String {
    let mut letters: Vec<_> = text.chars().collect();
    let at = random.random_range(0..letters.len());
    let other = random.random_range('a'..='z');
    match random.random_range(0..5) {
        0 => letters.insert(at, other),
        1 if letters.len() > 1 => {
            letters.remove(at);
        }
        2 => letters[at] = other,
        3 if at > 0 => letters.swap(at - 1, at),
        _ => {}
    }
    letters.into_iter().collect()
}

fn one<'a>(random: &mut StdRng, shops: &'a [Shop]) -> &'a Shop {
    &shops[random.random_range(0..shops.len())]
}

/// Where one of them is, or a little way off. Six decimals: JSON keeps them to the bit.
fn center(random: &mut StdRng, shops: &[Shop]) -> GeoPoint {
    let place = std::iter::repeat_with(|| one(random, shops).place);
    let place = place.flatten().next().unwrap();
    let mut about = |degrees: f64| {
        let degrees: f64 = degrees + random.random_range(-0.3..0.3);
        (degrees * 1e6).round() / 1e6
    };
    GeoPoint {
        lat: about(place.lat),
        lon: about(place.lon),
    }
}

/// A radius with nothing right behind it.
fn radius(random: &mut StdRng, center: GeoPoint, shops: &[Shop]) -> Option<f64> {
    let places = shops.iter().filter_map(|shop| shop.place);
    let mut distances: Vec<_> = places
        .map(|place| distance_m(center, place))
        .filter(|far| (1_000.0..200_000.0).contains(far))
        .collect();
    distances.sort_by(f64::total_cmp);
    let gaps = distances.windows(2).filter(|pair| pair[1] > pair[0] * RIM);
    let radii: Vec<_> = gaps.map(|pair| pair[0] * 1.0003).collect();
    (!radii.is_empty()).then(|| radii[random.random_range(0..radii.len())])
}

/// Whether those that are not the same differ by more than so small a part.
fn are_apart(mut numbers: Vec<f64>, part: f64) -> bool {
    numbers.sort_by(f64::total_cmp);
    numbers
        .windows(2)
        .all(|pair| pair[0] == pair[1] || pair[1] - pair[0] > pair[1] * part)
}
