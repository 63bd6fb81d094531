//! The orders of a search, several specialties at once, and what is counted; the same from both
//! indexes.

use chrono::Days;
use praxis_tests::directory::today;
use praxis_tests::eventually::{SOON, ensure, eventually};
use praxis_tests::{Api, Practitioner, Services, World};
use serde_json::{Value, json};

const ZONE: &str = "Europe/Berlin";
const ASKED: &str = "lat=52.52&lon=13.405&radius_km=25&specialty=cardiology,general-practice,ent";

/// Name, specialty, rating, latitude, and how many days from now the first free slot is.
const THEY: [(&str, &str, f64, f64, u64); 4] = [
    ("Ada Milbert", "cardiology", 3.0, 52.52, 4),
    ("Ben", "general-practice", 5.0, 52.55, 2),
    ("Cleo Müller-Ott", "ent", 4.0, 52.60, 3),
    ("Dora", "dentistry", 5.0, 52.52, 2),
];

#[tokio::test]
async fn the_embedded_index_orders_and_counts() {
    orders_and_counts(Services::Embedded).await;
}

#[tokio::test]
async fn an_opensearch_server_orders_and_counts() {
    orders_and_counts(Services::Brokered).await;
}

async fn orders_and_counts(services: Services) {
    let world = World::start(services).await;
    let lines = THEY.map(|of| line(of).to_string());
    world.import_lines(&lines.join("\n")).await;
    let api = world.api();
    eventually(SOON, "the search finds three of them", async || {
        let found = search(&api, "").await;
        ensure(found["total"] == 3, found)
    })
    .await;

    for (order, expected) in [
        ("", ["Dr. Ben", "Dr. Ada Milbert", "Dr. Cleo Müller-Ott"]),
        (
            "&order=best",
            ["Dr. Ben", "Dr. Ada Milbert", "Dr. Cleo Müller-Ott"],
        ),
        (
            "&order=nearest",
            ["Dr. Ada Milbert", "Dr. Ben", "Dr. Cleo Müller-Ott"],
        ),
        (
            "&order=soonest",
            ["Dr. Ben", "Dr. Cleo Müller-Ott", "Dr. Ada Milbert"],
        ),
    ] {
        assert_eq!(names(&search(&api, order).await), expected, "{order}");
        let mut paged = Vec::new();
        let mut next = String::new();
        for _ in 0..expected.len() {
            let page = search(&api, &format!("{order}&limit=1{next}")).await;
            assert_eq!(page["total"], 3, "{page}");
            paged.extend(names(&page));
            if let Some(cursor) = page["next_cursor"].as_str() {
                next = format!("&cursor={cursor}");
            }
        }
        assert_eq!(paged, expected, "page by page, {order}");
    }
    counts(&api).await;
    names_are_found(&api).await;
    languages_and_telehealth(&api).await;
    refusals(&api).await;
    world.settle().await;
}

async fn counts(api: &Api) {
    let facets = search(api, "&limit=1&facets=specialty,day&time_zone=Europe/Berlin").await;
    let facets = &facets["facets"];
    let one_each = json!([
        { "specialty": "cardiology", "count": 1 },
        { "specialty": "ent", "count": 1 },
        { "specialty": "general-practice", "count": 1 },
    ]);
    assert_eq!(facets["specialty"], one_each);
    let days = facets["day"].as_array().unwrap();
    assert!((7..=8).contains(&days.len()), "{facets}");
    for day in days {
        let offset = |free_in: u64| (today(ZONE) + Days::new(free_in)).to_string();
        let expected = THEY[..3]
            .iter()
            .filter(|they| day["date"] == offset(they.4));
        assert_eq!(day["count"], expected.count(), "{facets}");
    }
    let plain = search(api, "").await;
    assert!(plain.get("facets").is_none(), "{plain}");
}

async fn names_are_found(api: &Api) {
    for (text, expected) in [
        ("Mueller", &["Dr. Cleo Müller-Ott"][..]),
        ("MULLER", &["Dr. Cleo Müller-Ott"]),
        ("müll", &["Dr. Cleo Müller-Ott"]),
        // Nobody is called so: those who nearly are.
        ("Mullre", &["Dr. Cleo Müller-Ott"]),
        ("Milber", &["Dr. Ada Milbert"]),
        ("Milbret", &["Dr. Ada Milbert"]),
        ("Mlibret", &[]),
    ] {
        let is = names(&search(api, &format!("&q={text}")).await);
        assert_eq!(is, expected, "{text}");
    }
}

/// Ada speaks German and Turkish, Ben English, and by video too; of Cleo nothing is said.
async fn languages_and_telehealth(api: &Api) {
    for (more, expected) in [
        ("&language=tr", &["Dr. Ada Milbert"][..]),
        ("&language=EN,%20tr", &["Dr. Ben", "Dr. Ada Milbert"]),
        ("&language=fr", &[]),
        ("&telehealth=true", &["Dr. Ben"]),
        (
            "&telehealth=false",
            &["Dr. Ben", "Dr. Ada Milbert", "Dr. Cleo Müller-Ott"],
        ),
        ("&language=tr&telehealth=true", &[]),
    ] {
        let is = names(&search(api, more).await);
        assert_eq!(is, expected, "{more}");
    }
    let found = search(api, "").await;
    let items = found["items"].as_array().unwrap().iter();
    let told: Vec<_> = items
        .map(|item| (&item["languages"], &item["telehealth"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(["en"]), &json!(true)),
            (&json!(["de", "tr"]), &json!(false)),
            (&json!([]), &json!(false)),
        ]
    );
    let ben = found["items"][0]["practitioner_id"].as_str().unwrap();
    let ben = api.get(&format!("/v1/practitioners/{ben}")).await;
    let ben = ben.expect(200).json();
    assert_eq!(ben["languages"], json!(["en"]));
    assert_eq!(ben["telehealth"], true);
}

async fn refusals(api: &Api) {
    let cursor = search(api, "&order=soonest&limit=1").await["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    for (query, pointer) in [
        (format!("{ASKED}&order=cheapest"), "/query/order"),
        ("q=ada%20milbert&order=nearest".to_owned(), "/query/order"),
        (format!("{ASKED}&facets=city"), "/query/facets"),
        (
            format!("{ASKED}&facets=day&time_zone=Mars/Base"),
            "/query/time_zone",
        ),
        (format!("{ASKED},astrology"), "/query/specialty"),
        (format!("{ASKED}&language=german"), "/query/language"),
        (
            format!("{ASKED}&language=aa,ab,af,am,ar,as,ay,az,ba,be,bg"),
            "/query/language",
        ),
        (format!("{ASKED}&telehealth=yes"), "/query/telehealth"),
        (format!("{ASKED}&cursor={cursor}"), "/query/cursor"),
        (
            format!("{ASKED}&order=nearest&cursor={cursor}"),
            "/query/cursor",
        ),
        (
            format!("{ASKED},dentistry&order=soonest&cursor={cursor}"),
            "/query/cursor",
        ),
    ] {
        let path = format!("/v1/practitioners/search?{query}");
        let problem = api.get(&path).await.expect_problem(400, "bad-request");
        let problem = problem.json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

fn line((name, specialty, rating, lat, free_in): (&str, &str, f64, f64, u64)) -> Value {
    let mut practitioner = Practitioner::in_berlin(name);
    practitioner.email = "search@clinic.example".to_owned();
    practitioner.rating = rating;
    practitioner.lat = lat;
    let closed = (0..free_in).map(|day| today(ZONE) + Days::new(day));
    practitioner.closed = closed.collect();
    let mut line = practitioner.json();
    line["specialty"] = json!(specialty);
    match name {
        "Ada Milbert" => line["languages"] = json!(["tr", "de"]),
        "Ben" => {
            line["languages"] = json!(["EN"]);
            line["telehealth"] = json!(true);
        }
        _ => {}
    }
    line
}

async fn search(api: &Api, more: &str) -> Value {
    let path = format!("/v1/practitioners/search?{ASKED}{more}");
    api.get(&path).await.expect(200).json()
}

fn names(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}
