//! What a search may ask, and what its cursor is good for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use praxis_domain::FieldError;
use praxis_domain::search::{
    AGE_HOURS_MAX, DAYS_MAX, Facets, LIMIT_DEFAULT, Order, Search, distance_km,
};

const NOW: &str = "2026-11-22T12:00:00Z";

fn parse(query: &str) -> Result<Search, Vec<FieldError>> {
    parse_at(query, NOW)
}

fn parse_at(query: &str, now: &str) -> Result<Search, Vec<FieldError>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let get = |name: &str| {
        pairs
            .clone()
            .find(|(known, _)| *known == name)
            .map(|(_, v)| v)
    };
    Search::parse(get, now.parse().unwrap())
}

fn pointers(query: &str) -> Vec<String> {
    let errors = parse(query).unwrap_err();
    errors.into_iter().map(|error| error.pointer).collect()
}

const BERLIN: &str = "lat=52.5&lon=13.4&radius_km=25&specialty=cardiology";

#[test]
fn a_search_around_a_place_has_defaults() {
    let search = parse(BERLIN).unwrap();
    let around = search.around.unwrap();
    assert_eq!((around.radius_m(), around.scale_m()), (25_000.0, 12_500.0));
    let (from, before) = search.available;
    assert_eq!(from.to_string(), NOW);
    assert_eq!(before.to_string(), "2026-11-29T12:00:00Z");
    assert_eq!(search.limit, LIMIT_DEFAULT);
}

#[test]
fn a_name_is_enough_and_narrows() {
    assert_eq!(parse("q=weidenbach").unwrap().around, None);
    let both = parse(&format!("{BERLIN}&q=weidenbach")).unwrap();
    assert!(both.around.is_some() && both.words.is_some());
}

#[test]
fn place_and_specialty_go_together() {
    let all = [
        "/query/lat",
        "/query/lon",
        "/query/radius_km",
        "/query/specialty",
    ];
    assert_eq!(pointers(""), all);
    assert_eq!(pointers("lat=52&lon=13&q=a"), all[2..]);
    assert_eq!(pointers("specialty=cardiology"), all[..3]);
}

#[test]
fn every_parameter_that_is_wrong_is_named() {
    for (more, name) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("q=\"", "q"),
        ("language=de,", "language"),
        ("language=d3", "language"),
        ("telehealth=1", "telehealth"),
        ("available_before=tomorrow", "available_before"),
        ("available_before=2026-11-22T12:00:00Z", "available_before"),
        ("cursor=x", "cursor"),
    ] {
        assert_eq!(
            pointers(&format!("{BERLIN}&{more}")),
            [format!("/query/{name}")]
        );
    }
    assert_eq!(
        pointers("lat=91&lon=NaN&radius_km=0&specialty=x"),
        [
            "/query/lat",
            "/query/lon",
            "/query/radius_km",
            "/query/specialty"
        ]
    );
    for radius in ["201", "0", "-0", "-1", "1e-300", "inf", "NaN", "0.0009"] {
        assert_eq!(
            pointers(&format!("lat=1&lon=1&radius_km={radius}&specialty=ent")),
            ["/query/radius_km"],
            "{radius}"
        );
    }
    assert!(parse("lat=-90&lon=180&radius_km=0.001&specialty=ent").is_ok());
}

#[test]
fn the_next_page_keeps_the_times_of_the_first() {
    let first = parse(&format!("{BERLIN}&available_before=2026-11-22T18:00:00Z")).unwrap();
    let cursor = first.next_cursor("[0.5,\"ü\"]");
    let again = format!("{BERLIN}&available_before=2026-11-22T18:00:00Z&cursor={cursor}");
    let next = parse_at(&again, "2026-11-23T00:00:00Z").unwrap();
    assert_eq!(next.available, first.available);
    assert_eq!(next.index_cursor.as_deref(), Some("[0.5,\"ü\"]"));
}

#[test]
fn a_cursor_is_good_for_its_own_search_only() {
    let cursor = parse(&format!("{BERLIN}&q=weidenbach&limit=5"));
    let cursor = cursor.unwrap().next_cursor("x");
    let with = |query: &str| parse(&format!("{query}&cursor={cursor}"));
    assert!(with(&format!("{BERLIN}&q=weidenbach&limit=9")).is_ok());
    for other in [
        BERLIN.to_owned(),
        "q=weidenbach".to_owned(),
        format!("{BERLIN}&q=weidenbac"),
        format!("{BERLIN}&q=weidenbach").replace("13.4", "13.41"),
        format!("{BERLIN}&q=weidenbach").replace("cardiology", "ent"),
        format!("{BERLIN}&q=weidenbach").replace("km=25", "km=26"),
    ] {
        let errors = with(&other).unwrap_err();
        assert_eq!(errors[0].pointer, "/query/cursor", "{other}");
    }
}

/// What is said of a cursor, at a time.
fn said_of(cursor: &str, now: &str) -> String {
    let errors = parse_at(&format!("{BERLIN}&cursor={cursor}"), now).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].pointer, "/query/cursor", "{cursor}");
    errors[0].detail.clone()
}

#[test]
fn a_cursor_is_good_for_a_day() {
    let cursor = parse(BERLIN).unwrap().next_cursor("x");
    let at = |now: &str| parse_at(&format!("{BERLIN}&cursor={cursor}"), now);
    for good in [
        // By another host, whose clock is behind.
        "2026-11-22T11:55:00Z",
        NOW,
        "2026-11-23T12:00:00Z",
    ] {
        assert!(at(good).is_ok(), "{good}");
    }
    assert!(said_of(&cursor, "2026-11-23T12:00:01Z").contains("older than 24 hours"));
    assert!(said_of(&cursor, "2026-11-22T11:54:59Z").contains("yet to come"));
}

#[test]
fn each_field_of_a_cursor_is_looked_at() {
    let cursor = parse(BERLIN).unwrap().next_cursor("x");
    let fields: Vec<&str> = cursor.split('.').collect();
    let (from, before, asked) = (fields[1], fields[2], fields[3]);
    let with = |at: usize, value: &str| {
        let mut forged = fields.clone();
        forged[at] = value;
        forged.join(".")
    };
    let earlier = (from.parse::<i64>().unwrap() - 1).to_string();
    let forged = [
        with(0, "3"),
        with(0, "04"),
        with(1, "x"),
        with(1, ""),
        with(1, &format!("+{from}")),
        with(1, &format!("0{from}")),
        with(1, "99999999999999999"),
        with(2, "-99999999999999999999"),
        // Of a time that ends before it begins.
        with(2, from),
        with(2, &earlier),
        with(2, &format!("{before}.5")),
        // There are no words to find a typo in.
        with(4, "1"),
        with(4, "2"),
        with(5, ""),
        with(5, "7"),
        with(5, "+8"),
        with(5, "ff"),
        with(5, "4A"),
        with(5, "é"),
        format!("{cursor}."),
        fields[..5].join("."),
        "x".repeat(3_000),
    ];
    for forged in &forged {
        let said = said_of(forged, NOW);
        assert!(said.contains("earlier answer"), "{forged}: {said}");
    }
    for other in [asked.to_uppercase(), "0".to_owned(), String::new()] {
        if other != asked {
            assert!(said_of(&with(3, &other), NOW).contains("another search"));
        }
    }
    assert!(said_of(&with(1, "0"), NOW).contains("older than 24 hours"));
    assert!(said_of(&with(1, "-377705023201000"), NOW).contains("older than 24 hours"));
}

/// Whatever is changed in a cursor: it is refused by its name, or it is one that could have been told.
#[test]
fn no_change_of_a_cursor_is_more_than_a_search() {
    let query = format!("{BERLIN}&q=weidenbach");
    let cursor = parse(&query).unwrap().next_cursor("[0.5,\"ü\"]");
    let now = NOW.parse().unwrap();
    for at in 0..cursor.len() {
        for byte in b"-+.019aAfgx% " {
            let mut forged = cursor.clone().into_bytes();
            forged[at] = *byte;
            let forged = String::from_utf8(forged).unwrap();
            match parse(&format!("{query}&cursor={forged}")) {
                Ok(search) => {
                    let index = search.index_cursor.as_deref().unwrap();
                    assert_eq!(search.next_cursor(index), forged.trim());
                    let (from, before) = search.available;
                    let age = from.duration_until(now).as_hours();
                    assert!(
                        from < before && (0..=AGE_HOURS_MAX).contains(&age),
                        "{forged}"
                    );
                }
                Err(errors) => assert_eq!(errors[0].pointer, "/query/cursor", "{forged}"),
            }
        }
    }
}

#[test]
fn distances_are_told_to_the_metre() {
    assert_eq!(distance_km(1_234.567), 1.235);
}

#[test]
fn any_of_several_specialties_is_asked_for_with_commas() {
    let keys = |search: &Search| search.around.as_ref().unwrap().specialty_keys();
    let with = |keys: &str| parse(&format!("lat=1&lon=1&radius_km=1&specialty={keys}"));
    let search = with("ent, cardiology,ent").unwrap();
    assert_eq!(keys(&search), ["cardiology", "ent"]);
    let cursor = search.next_cursor("x");
    assert!(with(&format!("cardiology,ent&cursor={cursor}")).is_ok());
    assert!(with(&format!("cardiology&cursor={cursor}")).is_err());
    let ten = "allergology,anaesthesiology,cardiology,chiropractic,dentistry,dermatology,\
               dietetics,ent,endocrinology,gastroenterology";
    assert_eq!(keys(&with(ten).unwrap()).len(), 10);
    for (wrong, said) in [
        (format!("{ten},geriatrics"), "10 at most"),
        ("ent,astrology".to_owned(), "\"astrology\""),
        ("ent,".to_owned(), "\"\""),
        ("ent;cardiology".to_owned(), "/v1/specialties"),
    ] {
        let errors = with(&wrong).unwrap_err();
        assert_eq!(errors[0].pointer, "/query/specialty", "{wrong}");
        assert!(errors[0].detail.contains(said), "{errors:?}");
    }
}

#[test]
fn there_are_three_orders() {
    let order = |query: &str| parse(query).unwrap().order;
    assert_eq!(order(BERLIN), Order::Best);
    assert_eq!(order(&format!("{BERLIN}&order=best")), Order::Best);
    assert_eq!(order(&format!("{BERLIN}&order=nearest")), Order::Nearest);
    assert_eq!(order(&format!("{BERLIN}&order=soonest")), Order::Soonest);
    assert_eq!(order("q=anna&order=soonest"), Order::Soonest);
    assert_eq!(pointers("q=anna&order=nearest"), ["/query/order"]);
    assert_eq!(pointers(&format!("{BERLIN}&order=Best")), ["/query/order"]);
    let cursor = parse(BERLIN).unwrap().next_cursor("x");
    let other = format!("{BERLIN}&order=soonest&cursor={cursor}");
    assert_eq!(pointers(&other), ["/query/cursor"]);
}

#[test]
fn facets_say_what_is_counted_and_in_which_zone() {
    let facets = |query: &str| parse(&format!("{BERLIN}&{query}")).unwrap().facets;
    assert!(facets("limit=1") == Facets::default());
    let both = facets("facets=day,specialty&time_zone=Europe/Berlin");
    assert!(both.specialty);
    assert_eq!(both.day.unwrap().name(), "Europe/Berlin");
    let days = parse(&format!("{BERLIN}&facets=day")).unwrap().days();
    let days = days.unwrap();
    assert_eq!(days.dates().len(), 8, "seven days from noon on");
    assert_eq!(days.dates()[0].to_string(), "2026-11-22");
    let far = format!("{BERLIN}&facets=day&available_before=2030-01-01T00:00:00Z");
    assert_eq!(parse(&far).unwrap().days().unwrap().dates().len(), DAYS_MAX);
    assert_eq!(parse(BERLIN).unwrap().days(), None);
    for (wrong, name) in [
        ("facets=city", "facets"),
        ("facets=day,", "facets"),
        ("time_zone=Europe/Berlin", "time_zone"),
        ("facets=specialty&time_zone=Europe/Berlin", "time_zone"),
        ("facets=day&time_zone=Berlin", "time_zone"),
    ] {
        assert_eq!(
            pointers(&format!("{BERLIN}&{wrong}")),
            [format!("/query/{name}")],
            "{wrong}"
        );
    }
}

#[test]
fn typos_are_overlooked_where_nothing_is_found_and_on_the_pages_behind() {
    let first = parse("q=weidenbahc").unwrap();
    assert!(!first.typos);
    let nearly = first.with_typos().unwrap();
    assert!(nearly.typos && nearly.clone().with_typos().is_none());
    let next = parse(&format!("q=weidenbahc&cursor={}", nearly.next_cursor("x"))).unwrap();
    assert!(next.typos && next.with_typos().is_none());
    let exact = parse("q=weidenbach").unwrap();
    let next = parse(&format!("q=weidenbach&cursor={}", exact.next_cursor("x"))).unwrap();
    assert!(!next.typos && next.with_typos().is_none());
    assert_eq!(parse(BERLIN).unwrap().with_typos(), None);
}
