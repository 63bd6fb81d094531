//! The ends of the earth and of time: right answers, or 400 by name; the same from both indexes.

use praxis_tests::directory::{SPECIALTY, today};
use praxis_tests::{Api, Practitioner, Services, World};
use serde_json::Value;

/// The radius that distances are told by.
const EARTH_RADIUS_KM: f64 = 6_371.008_771_4;
/// Distances are told to the metre.
const DISTANCE_KM_OFF_MAX: f64 = 0.002;

/// Who is where: around both poles, and on both sides of the date line.
const PLACES: [(&str, f64, f64); 8] = [
    ("North", 89.95, 10.0),
    ("Beyond", 89.95, -170.0),
    ("Pole", 90.0, 0.0),
    ("South", -89.95, 120.0),
    ("Ice", -90.0, -45.0),
    ("East", 10.0, 179.95),
    ("West", 10.0, -179.95),
    ("Line", 10.0, 180.0),
];

#[tokio::test]
async fn the_embedded_index_answers_at_the_ends_of_the_earth() {
    at_the_ends(Services::Embedded).await;
}

#[tokio::test]
async fn an_opensearch_server_answers_at_the_ends_of_the_earth() {
    at_the_ends(Services::Brokered).await;
}

async fn at_the_ends(services: Services) {
    let world = World::start(services).await;
    let practitioners: Vec<_> = PLACES.iter().map(living_at).collect();
    world
        .import(&practitioners.iter().collect::<Vec<_>>())
        .await;
    let api = world.api();
    for (lat, lon, radius_km, expected) in [
        // At a pole all meridians meet, and each is as good a name for it.
        ("90", "0", "25", &["Beyond", "North", "Pole"][..]),
        ("90", "180", "25", &["Beyond", "North", "Pole"]),
        ("90", "-180", "25", &["Beyond", "North", "Pole"]),
        ("89.95", "-170", "3", &["Beyond"]),
        ("89.95", "-170", "6", &["Beyond", "Pole"]),
        ("-90", "77.7", "200", &["Ice", "South"]),
        // 180 degrees east are 180 degrees west.
        ("10", "180", "25", &["East", "Line", "West"]),
        ("10", "-180", "25", &["East", "Line", "West"]),
        ("10", "179.95", "8", &["East", "Line"]),
        ("10", "-179.95", "8", &["Line", "West"]),
        ("10", "-179.95", "0.001", &["West"]),
        ("0", "0", "200", &[]),
        ("-0.0", "-0.0", "2e2", &[]),
    ] {
        let found = api.get(&search(lat, lon, radius_km, "")).await.expect(200);
        let found = found.json();
        let items = found["items"].as_array().unwrap();
        let mut names: Vec<_> = items.iter().map(name).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "around {lat} {lon}: {found}");
        let center = (lat.parse().unwrap(), lon.parse().unwrap());
        for item in items {
            let place = &item["location"];
            let to = (
                place["lat"].as_f64().unwrap(),
                place["lon"].as_f64().unwrap(),
            );
            let told = item["distance_km"].as_f64().unwrap();
            let off = (told - distance_km(center, to)).abs();
            assert!(off <= DISTANCE_KM_OFF_MAX, "from {lat} {lon}: {item}");
        }
    }

    refused(&api, &practitioners[0]).await;
    cursors(&api).await;
    world.settle().await;
}

/// What has no answer is 400, and says what is wrong.
async fn refused(api: &Api, practitioner: &Practitioner) {
    let availability = |from: &str, to: &str| {
        let id = practitioner.id;
        format!("/v1/practitioners/{id}/availability?from={from}&to={to}")
    };
    let at = |lat: &str, lon: &str, radius_km: &str| search(lat, lon, radius_km, "");
    let until = |instant: &str| search("10", "180", "25", &format!("&available_before={instant}"));
    let day = today("UTC");
    for (path, pointer) in [
        (at("90.0000001", "0", "25"), "/query/lat"),
        (at("-91", "0", "25"), "/query/lat"),
        (at("NaN", "0", "25"), "/query/lat"),
        (at("inf", "0", "25"), "/query/lat"),
        (at("", "0", "25"), "/query/lat"),
        (at("10", "180.0000001", "25"), "/query/lon"),
        (at("10", "-540", "25"), "/query/lon"),
        (at("10", "-nan", "25"), "/query/lon"),
        (at("10", "180", "0"), "/query/radius_km"),
        (at("10", "180", "-0"), "/query/radius_km"),
        (at("10", "180", "-25"), "/query/radius_km"),
        (at("10", "180", "200.01"), "/query/radius_km"),
        (at("10", "180", "1e-300"), "/query/radius_km"),
        (at("10", "180", "1e999"), "/query/radius_km"),
        (at("10", "180", "NaN"), "/query/radius_km"),
        (until("0000-01-01T00:00:00Z"), "/query/available_before"),
        (until("-009999-01-02T02:00:00Z"), "/query/available_before"),
        (until("2020-01-01T00:00:00Z"), "/query/available_before"),
        (until("9999-12-31T23:59:59Z"), "/query/available_before"),
        (until("10000-01-01T00:00:00Z"), "/query/available_before"),
        (until("NaN"), "/query/available_before"),
        (availability("0000-01-01", "0000-01-02"), "/query/from"),
        (availability("9999-12-30", "9999-12-31"), "/query/from"),
        (
            availability("-009999-01-01", &day.to_string()),
            "/query/from",
        ),
        (availability(&day.to_string(), "9999-12-31"), "/query/to"),
        (availability(&day.to_string(), "1900-01-01"), "/query/to"),
        (availability("2026-02-29", "2026-03-01"), "/query/from"),
        (availability("NaN", "2026-03-01"), "/query/from"),
    ] {
        let problem = api.get(&path).await.expect_problem(400, "bad-request");
        let problem = problem.json();
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{path}: {problem}"
        );
    }
    // As late as there is a name for, and days of which nothing is known.
    let all = api.get(&until("9999-12-30T00:00:00Z")).await.expect(200);
    assert_eq!(all.json()["total"], 3);
    for (from, to) in [("1900-01-01", "1900-03-02"), ("2200-11-01", "2200-12-31")] {
        let answer = api.get(&availability(from, to)).await.expect(200).json();
        let days = answer["days"].as_array().unwrap();
        assert!(days.iter().all(|day| day["mask"] == 0), "{answer}");
    }
}

/// A cursor is good for the search that it is of, and for none else.
async fn cursors(api: &Api) {
    // All three are apart by different distances: an order that no server mistakes.
    let page = |more: &str| search("10", "179.96", "25", &format!("&limit=1{more}"));
    let mut seen = Vec::new();
    let mut more = String::new();
    let mut first = None;
    loop {
        let answer = api.get(&page(&more)).await.expect(200).json();
        let items = answer["items"].as_array().unwrap();
        seen.extend(items.iter().map(name));
        let Some(cursor) = answer["next_cursor"].as_str() else {
            break;
        };
        first.get_or_insert(cursor.to_owned());
        more = format!("&cursor={cursor}");
        assert!(seen.len() <= PLACES.len(), "{seen:?}");
    }
    assert_eq!(seen, ["East", "Line", "West"], "the nearest first");

    let cursor = first.unwrap();
    let with = |cursor: &str| format!("&limit=1&cursor={cursor}");
    let mut strange = vec![
        search("90", "0", "25", &with(&cursor)),
        search("10", "180", "25", &with(&cursor)),
        search("10", "179.96", "26", &with(&cursor)),
        search("10", "179.96", "25", &format!("{}&q=line", with(&cursor))),
        format!("/v1/practitioners/search?q=line{}", with(&cursor)),
    ];
    let parts: Vec<_> = cursor.split('.').collect();
    let [version, from, before, asked, typos, index] = parts[..] else {
        panic!("{cursor}");
    };
    let index_of = |bytes: &str| -> String { bytes.bytes().map(|b| format!("{b:02x}")).collect() };
    strange.extend(
        [
            format!("1.{from}.{before}.{asked}.{typos}.{index}"),
            format!("{version}.{before}.{from}.{asked}.{typos}.{index}"),
            format!("{version}.{from}.{before}.{asked}.{typos}."),
            format!("{version}.{from}.{before}.{asked}.2.{index}"),
            format!("{version}.{from}.{before}.{asked}.{typos}.{index}.00"),
            format!("{version}.{from}.{before}.0000000000000000.{typos}.{index}"),
            format!("{version}.9223372036854775807.{before}.{asked}.{typos}.{index}"),
            format!(
                "{version}.{from}.{before}.{asked}.{typos}.{}",
                index_of("!")
            ),
            // A key that is not a number.
            format!(
                "{version}.{from}.{before}.{asked}.{typos}.{}",
                index_of("AAAAAAAAAAB_-AAAAAAAAGE")
            ),
            format!("{version}.{from}.{before}.{asked}.{typos}.{}", &index[1..]),
            "x".repeat(3_000),
        ]
        .iter()
        .map(|forged| search("10", "179.96", "25", &with(forged))),
    );
    for path in strange {
        let problem = api.get(&path).await.expect_problem(400, "bad-request");
        let problem = problem.json();
        let pointer = &problem["errors"][0]["pointer"];
        assert_eq!(pointer, "/query/cursor", "{path}: {problem}");
    }
}

fn living_at((name, lat, lon): &(&str, f64, f64)) -> Practitioner {
    let time_zone = "UTC".to_owned();
    let today = today(&time_zone);
    Practitioner {
        lat: *lat,
        lon: *lon,
        closed: vec![today, today + chrono::Days::new(1)],
        time_zone,
        ..Practitioner::in_berlin(name)
    }
}

fn search(lat: &str, lon: &str, radius_km: &str, more: &str) -> String {
    format!(
        "/v1/practitioners/search?lat={lat}&lon={lon}&radius_km={radius_km}&specialty={SPECIALTY}{more}"
    )
}

fn name(item: &Value) -> String {
    let name = item["name"].as_str().unwrap();
    name.strip_prefix("Dr. ").unwrap().to_owned()
}

/// Along the great circle.
fn distance_km((lat, lon): (f64, f64), (to_lat, to_lon): (f64, f64)) -> f64 {
    let (lat, to_lat) = (f64::to_radians(lat), f64::to_radians(to_lat));
    let north = ((to_lat - lat) / 2.0).sin();
    let east = (f64::to_radians(to_lon - lon) / 2.0).sin();
    let haversine = north * north + lat.cos() * to_lat.cos() * east * east;
    2.0 * EARTH_RADIUS_KM * haversine.sqrt().min(1.0).asin()
}
