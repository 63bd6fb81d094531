//! What can be wished for: entries of the waitlist, and bookings with any practitioner.

use futures::future::join_all;
use praxis_tests::directory::{SPECIALTY, fresh_id};
use praxis_tests::{Answer, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::waitlist::{LATE, join, text};

#[tokio::test]
async fn a_patient_waits_for_five_things_and_each_once() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Wanted");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let wait = async |to: &str| {
        let wish = json!({ "practitioner_id": practitioner.id, "to": to });
        alice.post("/v1/waitlist", &wish).await
    };
    let first = wait("2198-01-01T00:00:00Z").await.expect(201).json();
    let again = join_all((0..4).map(|_| wait("2198-01-01T00:00:00Z"))).await;
    for answer in again {
        assert_eq!(answer.expect(200).json(), first);
    }
    for day in 2..=5 {
        wait(&format!("2198-01-0{day}T00:00:00Z")).await.expect(201);
    }
    wait("2198-01-06T00:00:00Z")
        .await
        .expect_problem(429, "too-many-waiting");
    assert_eq!(wait("2198-01-01T00:00:00Z").await.expect(200).json(), first);
    let listed = alice.get("/v1/waitlist").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 5);
    assert_eq!(listed["items"][0], first);
    world.settle().await;
}

#[tokio::test]
async fn bad_wishes_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Precise");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let id = practitioner.id;
    let area = json!({ "lat": 91, "lon": 13.4, "radius_km": 0, "specialty": "astrology" });
    let cases = [
        (json!({}), vec!["/practitioner_id", "/to"]),
        (json!({ "practitioner_id": id }), vec!["/to"]),
        (
            json!({ "practitioner_id": id, "search": area, "to": LATE }),
            vec!["/search"],
        ),
        (
            json!({ "search": area, "to": LATE }),
            vec!["/search/lat", "/search/radius_km", "/search/specialty"],
        ),
        (
            json!({ "practitioner_id": id, "to": "2020-01-01T00:00:00Z" }),
            vec!["/to"],
        ),
        (
            json!({ "practitioner_id": id, "from": LATE, "to": "2198-01-01T00:00:00Z" }),
            vec!["/to"],
        ),
        (
            json!({ "practitioner_id": id, "to": LATE, "colour": "red" }),
            vec!["/colour"],
        ),
    ];
    for (body, pointers) in cases {
        let answer = alice.post("/v1/waitlist", &body).await;
        assert_eq!(named(&answer.expect_problem(400, "bad-request")), pointers);
    }
    join(&alice, fresh_id()).await.expect(404);
    let staff = world.api().staff(&practitioner.tenant).await;
    join(&staff, id).await.expect(403);

    // Of a booking with a search.
    let mut near = json!({ "lat": 52.5, "lon": 13.4, "radius_km": 5, "specialty": SPECIALTY });
    let headers = [("idempotency-key", "never-stored")];
    let book = async |body: Value| {
        let body = Some(body.to_string());
        alice
            .send(Method::POST, "/v1/bookings", &headers, body)
            .await
    };
    let both = json!({ "search": near, "practitioner_id": id, "slot_start": LATE, "hold_id": id });
    assert_eq!(
        named(&book(both).await.expect(400)),
        ["/practitioner_id", "/slot_start", "/hold_id"]
    );
    let bad = book(json!({ "search": area })).await.expect(400);
    assert_eq!(
        named(&bad),
        ["/search/lat", "/search/radius_km", "/search/specialty"]
    );
    near["to"] = json!("2020-01-01T00:00:00Z");
    let late = book(json!({ "search": near })).await.expect(400);
    assert_eq!(named(&late), ["/search/to"]);
    let hold = json!({ "search": near, "practitioner_id": id, "slot_start": LATE });
    let hold = alice.post("/v1/holds", &hold).await.expect(400);
    assert_eq!(named(&hold), ["/search"]);
    world.settle().await;
}

fn named(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| text(error, "pointer")).collect()
}
