//! What may not happen to bookings, whoever asks.

use praxis_tests::{Practitioner, Services, World, events};
use serde_json::json;

use crate::flow::free_are;

#[tokio::test]
async fn the_time_zone_stays_while_slots_are_booked() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Zone");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice
        .book(practitioner.id, &slots[0])
        .await
        .expect(201)
        .text_of("booking_id");

    let mut moved = practitioner.json();
    moved["time_zone"] = json!("Asia/Kathmandu");
    let moved = moved.to_string();
    let operator = world.api().operator().await;
    let path = format!("/v1/practitioners/{}", practitioner.id);
    let put = async || {
        let body = Some(moved.clone());
        operator.send(reqwest::Method::PUT, &path, &[], body).await
    };
    let refused = put().await.expect_problem(409, "time-zone-in-use").json();
    assert_eq!(refused["errors"][0]["pointer"], "/time_zone");
    let headers = [("content-type", "application/x-ndjson")];
    let import = operator
        .send(
            reqwest::Method::POST,
            "/v1/practitioners:import",
            &headers,
            Some(moved.clone()),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(import["status"], "rejected");
    assert_eq!(import["errors"][0]["pointer"], "/time_zone");

    alice.cancel(&booking, "\"1\"").await.expect(200);
    put().await.expect(200);
    world.settle().await;
}

#[tokio::test]
async fn a_patient_holds_three_slots_and_no_more() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Holds");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let hold = async |slot: &str| {
        let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slot });
        alice.post("/v1/holds", &wish).await
    };
    let first = hold(&slots[0]).await.expect(201).text_of("booking_id");
    hold(&slots[1]).await.expect(201);
    hold(&slots[2]).await.expect(201);
    hold(&slots[3]).await.expect_problem(429, "too-many-holds");
    alice.cancel(&first, "\"1\"").await.expect(200);
    hold(&slots[3]).await.expect(201);
    world.settle().await;
}

#[tokio::test]
async fn a_hold_of_a_practitioner_who_left_is_not_confirmed() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Left");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[0] });
    let hold = alice.post("/v1/holds", &wish).await.expect(201);
    let path = format!("/v1/practitioners/{}", practitioner.id);
    let operator = world.api().operator().await;
    operator
        .send(reqwest::Method::DELETE, &path, &[], None)
        .await
        .expect(200);
    let body = json!({ "hold_id": hold.text_of("booking_id") }).to_string();
    let headers = [("idempotency-key", "too-late")];
    let refused = alice
        .send(reqwest::Method::POST, "/v1/bookings", &headers, Some(body))
        .await
        .expect_problem(422, "slot-not-offered");
    assert_eq!(refused.json()["reason"], "practitioner-inactive");
    world.settle().await;
}

#[tokio::test]
async fn a_practitioner_who_is_a_patient_too_sees_both() {
    let world = World::start(Services::Embedded).await;
    let (own, other) = (
        Practitioner::in_berlin("Own"),
        Practitioner::in_berlin("Other"),
    );
    world.import(&[&own, &other]).await;
    let both = json!({ "sub": own.subject, "roles": ["patient", "practitioner"] });
    let both = world.api().sign_in(both).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = own.free_slots(&alice).await;
    let calendar = alice.book(own.id, &slots[1]).await.expect(201);
    let visit = both.book(other.id, &slots[0]).await.expect(201);
    // In both calendars, and listed once.
    let with_oneself = both.book(own.id, &slots[2]).await.expect(201);
    let expected = [&visit, &calendar, &with_oneself].map(|answer| answer.text_of("booking_id"));
    let listed = both.get("/v1/bookings").await.expect(200).json();
    let items = listed["items"].as_array().unwrap();
    let ids: Vec<_> = items
        .iter()
        .map(|item| item["booking_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, expected);
    world.settle().await;
}

#[tokio::test]
async fn who_is_erased_gives_back_what_is_to_come() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Forgetful");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&bob).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[1] });
    alice.post("/v1/holds", &wish).await.expect(201);
    free_are(&bob, &practitioner, &slots[2..]).await;
    alice
        .send(reqwest::Method::DELETE, "/v1/patients/me", &[], None)
        .await
        .expect(204);
    free_are(&bob, &practitioner, &slots).await;
    world.settle().await;
    let events = events::of_topic(&world, "booking-events").await;
    let mut kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "BookingCancelled",
            "BookingCreated",
            "HoldExpired",
            "SlotHeld"
        ]
    );
}
