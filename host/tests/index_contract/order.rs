//! What every adapter does: orders, pages and counts.

use std::collections::BTreeSet;

use praxis_host::capabilities::index::{
    Change, Counts, Error, Field, Fingerprint, Indexes, Order, Page, Position, Query, Value,
    ValueCount,
};

use crate::shops::*;

pub async fn hits_go_by_what_the_query_says(indexes: Indexes) {
    let at = |id: &str, far: f64, opens: i64, rated: f64| {
        let fields = vec![north(far), field("opens", Value::Date(opens)), stars(rated)];
        shop(id, 1, fields)
    };
    let shops = [
        at("a", 3_000.0, 20, 2.0),
        at("b", -1_000.0, 30, 1.0),
        at("c", 2_000.0, -10, 3.0),
        // As near and as early as others: by id.
        at("aa", 2_000.0, 30, 3.0),
        shop("nowhere", 1, vec![field("opens", Value::Date(25))]),
        shop("never", 1, vec![north(1_500.0)]),
    ];
    apply(&indexes, &shops).await;
    let by = |order| Query {
        order,
        score: vec![by_stars(0.5)],
        ..all()
    };
    let cases: [(Order, &[&str]); 3] = [
        (Order::Score, &["aa", "c", "a", "b", "never", "nowhere"]),
        (nearest(MUNICH), &["b", "never", "aa", "c", "a"]),
        (earliest(), &["c", "a", "nowhere", "aa", "b"]),
    ];
    for (order, expected) in cases {
        let query = by(order);
        let page = search(&indexes, &query).await;
        assert_eq!(ids(&page), expected, "{query:?}");
        assert_eq!(page.total, expected.len() as u64, "{query:?}");
        let a = page.hits.iter().find(|hit| hit.id == "a").unwrap();
        assert_eq!(a.score, 2.0, "a score is told in any order");
    }
}

pub async fn facets_count_all_that_match(indexes: Indexes) {
    let trades = ["bakery", "kiosk", "bakery", "butcher", "kiosk", "bakery"];
    let mut shops: Vec<_> = trades
        .iter()
        .enumerate()
        .map(|(at, of)| {
            let opens = field("opens", Value::Date(at as i64 * 10));
            shop(
                &format!("shop-{at}"),
                1,
                vec![trade(of), active(true), opens],
            )
        })
        .collect();
    shops.push(shop("closed", 1, vec![trade("grocer"), active(false)]));
    shops.push(shop("bare", 1, vec![active(true)]));
    apply(&indexes, &shops).await;
    let values = |counts: &[(&str, u64)]| {
        let counts = counts.iter().map(|(value, count)| ValueCount {
            value: (*value).into(),
            count: *count,
        });
        Counts::Values(counts.collect())
    };
    let facets = vec![
        openings_counted(&[-5, 0, 10, 35, 40]),
        trades_counted(100),
        // Those that as many have go by value: the kiosk's two come second.
        trades_counted(2),
    ];
    let expected = [
        Counts::Dates(vec![0, 1, 3, 0]),
        values(&[("bakery", 3), ("kiosk", 2), ("butcher", 1)]),
        values(&[("bakery", 3), ("kiosk", 2)]),
    ];
    for order in [Order::Score, earliest()] {
        let mut query = Query {
            facets: facets.clone(),
            limit: 2,
            order,
            ..only(is_active(true))
        };
        let first = search(&indexes, &query).await;
        assert_eq!(first.facets, expected);
        query.cursor = first.next;
        assert_eq!(search(&indexes, &query).await.facets, expected, "page two");
    }
    let ties = Query {
        facets: vec![trades_counted(1)],
        ..only(of_trades(&["grocer", "butcher"]))
    };
    let ties = search(&indexes, &ties).await;
    assert_eq!(ties.facets, [values(&[("butcher", 1)])]);
    let nothing = Query {
        facets: facets.clone(),
        ..only(of_trade("cobbler"))
    };
    let nothing = search(&indexes, &nothing).await.facets;
    assert_eq!(
        nothing,
        [Counts::Dates(vec![0; 4]), values(&[]), values(&[])]
    );
    assert!(search(&indexes, &all()).await.facets.is_empty());
}

fn orders() -> [Order; 3] {
    [Order::Score, nearest(MUNICH), earliest()]
}

/// Ten of 230 shops have the same key in each order.
fn alike(number: u64) -> Vec<Field> {
    let group = number % 23;
    vec![
        stars(group as f64 + 0.1),
        north(group as f64 * 500.0),
        field("opens", Value::Date(group as i64 * 1_000)),
        trade("bakery"),
    ]
}

pub async fn pages_neither_repeat_nor_skip(indexes: Indexes) {
    let id = |number: u64| format!("shop-{:03}", (number * 37) % 230);
    let shops: Vec<_> = (0..230)
        .map(|number| shop(&id(number), 1, alike(number)))
        .collect();
    apply(&indexes, &shops).await;
    let all_ids: BTreeSet<_> = (0..230).map(id).collect();
    for (limit, order) in [1, 7, 10, 100]
        .into_iter()
        .flat_map(|limit| orders().map(|order| (limit, order)))
    {
        let query = Query {
            score: vec![by_stars(0.0)],
            limit,
            order,
            ..only(of_trade("bakery"))
        };
        let mut seen = Vec::new();
        pages(&indexes, query.clone(), async |page| {
            assert_eq!(page.total, 230);
            seen.extend(page.hits.iter().map(|hit| hit.id.clone()));
            assert!(seen.len() <= 230, "a page repeats: {query:?}");
        })
        .await;
        assert_eq!(seen.len(), 230, "{query:?}");
        assert_eq!(BTreeSet::from_iter(seen.clone()), all_ids, "{query:?}");
        let whole: Vec<_> = in_order(&query.order, &shops);
        assert_eq!(seen, whole, "{query:?}");
    }
}

/// Ids by the group, down for scores and up for the rest, and within it by id.
fn in_order(order: &Order, shops: &[Change]) -> Vec<String> {
    let mut shops: Vec<_> = shops
        .iter()
        .enumerate()
        .map(|(number, shop)| (number % 23, shop.id.clone()))
        .collect();
    shops.sort_by(|a, b| match order {
        Order::Score => b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)),
        Order::Nearest(_) | Order::Earliest(_) => a.cmp(b),
    });
    shops.into_iter().map(|(_, id)| id).collect()
}

pub async fn pages_hold_while_others_change(indexes: Indexes) {
    // Every third shop keeps its place. The others leave, come, move and change between the pages.
    let number_of = |id: &str| id.strip_prefix("shop-").and_then(|n| n.parse::<u64>().ok());
    let mut versions = 1_u64..;
    for order in orders() {
        let version = versions.next().unwrap();
        let shops: Vec<_> = (0..120)
            .map(|number| shop(&format!("shop-{number:03}"), version, alike(number)))
            .collect();
        apply(&indexes, &shops).await;
        let query = Query {
            score: vec![by_stars(0.0)],
            limit: 7,
            order,
            ..only(of_trade("bakery"))
        };
        let mut seen = Vec::new();
        pages(&indexes, query.clone(), async |page| {
            let stay = page.hits.iter().filter_map(|hit| number_of(&hit.id));
            seen.extend(stay.filter(|number| number % 3 == 0));
            let version = versions.next().unwrap();
            let changes: Vec<_> = (0..120)
                .map(|number| {
                    let fields = match number % 3 {
                        // Nothing that it is found or ranked by.
                        0 => vec![active(version % 2 == 0)],
                        1 => alike(number + version),
                        _ if version % 2 == 0 => vec![trade("butcher")],
                        _ => alike(number),
                    };
                    shop(&format!("shop-{number:03}"), version, fields)
                })
                .collect();
            apply(&indexes, &changes).await;
        })
        .await;
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "a page repeats: {query:?}");
        let expected: BTreeSet<_> = (0..120).filter(|number| number % 3 == 0).collect();
        assert_eq!(distinct, expected, "{query:?}");
    }
}

/// Hands page after page to `look`.
async fn pages(indexes: &Indexes, mut query: Query, mut look: impl AsyncFnMut(&Page)) {
    for _ in 0..500 {
        let page = search(indexes, &query).await;
        look(&page).await;
        query.cursor = page.next;
        if query.cursor.is_none() {
            return;
        }
    }
    panic!("the pages do not end: {query:?}");
}

pub async fn a_page_that_is_full_by_chance_has_no_next(indexes: Indexes) {
    let shops = ["a", "b", "c"].map(|id| shop(id, 1, vec![]));
    apply(&indexes, &shops).await;
    let page = search(&indexes, &Query { limit: 3, ..all() }).await;
    assert_eq!(ids(&page), ["a", "b", "c"]);
    assert_eq!(page.next, None);
    let behind_all = Position {
        key: 0.0,
        id: "z".into(),
    };
    let cursor = Some(behind_all.encode(Fingerprint::of(SHOPS, &all())));
    let page = search(&indexes, &Query { cursor, ..all() }).await;
    assert_eq!((ids(&page), page.total), (vec![], 3));
}

pub async fn a_cursor_is_good_for_its_own_search_only(indexes: Indexes) {
    let shops: Vec<_> = (0..20)
        .map(|number| shop(&format!("shop-{number}"), 1, alike(number)))
        .collect();
    apply(&indexes, &shops).await;
    let base = Query {
        limit: 2,
        score: vec![by_stars(0.0)],
        ..only(of_trade("bakery"))
    };
    let cursor = search(&indexes, &base).await.next;
    assert!(cursor.is_some());
    let with = |other: Query| Query {
        cursor: cursor.clone(),
        ..other
    };
    let same = [
        with(base.clone()),
        with(Query {
            limit: 5,
            facets: vec![trades_counted(3)],
            distance_from: Some(("place".into(), MUNICH)),
            ..base.clone()
        }),
    ];
    for query in same {
        assert!(indexes.search(SHOPS, &query).await.is_ok(), "{query:?}");
    }
    let others = [
        with(Query {
            order: nearest(MUNICH),
            ..base.clone()
        }),
        with(Query {
            order: earliest(),
            ..base.clone()
        }),
        with(Query {
            score: vec![by_stars(1.0)],
            ..base.clone()
        }),
        with(Query {
            filter: vec![of_trades(&["bakery", "butcher"])],
            ..base.clone()
        }),
    ];
    for query in others {
        let refused = indexes.search(SHOPS, &query).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.contains("another search")),
            "{refused:?}"
        );
    }
}
