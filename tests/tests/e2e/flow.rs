//! The three flows: search, book, cancel and reschedule; and everyone concerned is told.

use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, events, eventually, mail};
use serde_json::json;

#[tokio::test]
async fn the_whole_flow_on_what_is_embedded() {
    the_whole_flow(Services::Embedded).await;
}

#[tokio::test]
async fn the_whole_flow_on_kafka_and_a_search_server() {
    the_whole_flow(Services::Brokered).await;
}

async fn the_whole_flow(services: Services) {
    let world = World::start(services).await;
    let near = Practitioner::in_berlin("Near");
    let mut far = Practitioner::in_berlin("Far");
    far.lat += 0.15;
    let mut away = Practitioner::in_berlin("Away");
    away.lat += 3.0;
    import_and_rank(&world, &near, &far, &away).await;

    let patient = world.api().patient("alice").await;
    let (slots, _) = near.free_slots(&patient).await;
    // Asked for once, the days are in the bitmap.
    free_are(&patient, &near, &slots).await;

    let booked = patient.book(near.id, &slots[0]).await.expect(201);
    assert_eq!(booked.header("etag"), "\"1\"");
    let booking = booked.text_of("booking_id");
    assert_eq!(booked.header("location"), format!("/v1/bookings/{booking}"));
    assert_eq!(booked.json()["status"], "confirmed");
    assert_eq!(booked.json()["version"], 1);
    assert_eq!(booked.json()["local_time"], "09:00");
    assert_eq!(booked.json()["time_zone"], "Europe/Berlin");
    free_are(&patient, &near, &slots[1..]).await;
    both_are_told(&patient, &near, 1).await;

    let moved = patient
        .reschedule(&booking, "\"1\"", &slots[3])
        .await
        .expect(201);
    let successor = moved.text_of("booking_id");
    assert_ne!(successor, booking);
    assert_eq!(moved.text_of("rescheduled_from"), booking);
    let old = patient
        .get(&format!("/v1/bookings/{booking}"))
        .await
        .expect(200);
    assert_eq!(old.json()["status"], "rescheduled");
    let left: Vec<_> = slots
        .iter()
        .filter(|slot| **slot != slots[3])
        .cloned()
        .collect();
    free_are(&patient, &near, &left).await;
    both_are_told(&patient, &near, 2).await;

    let etag = moved.header("etag");
    patient
        .cancel(&successor, "\"77\"")
        .await
        .expect_problem(412, "version-conflict");
    let cancelled = patient.cancel(&successor, etag).await.expect(200);
    assert_eq!(cancelled.json()["status"], "cancelled");
    patient
        .cancel(&successor, cancelled.header("etag"))
        .await
        .expect(409)
        .check_problem();
    free_are(&patient, &near, &slots).await;
    both_are_told(&patient, &near, 3).await;

    world.settle().await;
    what_was_said(&world, &booking, &successor).await;
    both_are_told(&patient, &near, 3).await;
}

/// Near before far; what lies outside the circle is not there.
async fn import_and_rank(
    world: &World,
    near: &Practitioner,
    far: &Practitioner,
    away: &Practitioner,
) {
    world.import(&[near, far, away]).await;
    let found = world
        .api()
        .get(&near.search_path())
        .await
        .expect(200)
        .json();
    let items = found["items"].as_array().unwrap();
    let ids: Vec<_> = items
        .iter()
        .map(|item| item["practitioner_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [near.id.to_string(), far.id.to_string()]);
    assert_eq!(found["total"], 2);
    let distance = items[1]["distance_km"].as_f64().unwrap();
    assert!(
        (16.0..17.5).contains(&distance),
        "0.15 degrees of latitude are {distance} km"
    );
}

/// The availability answer has just these slots, and the search answer the first of them.
pub async fn free_are(api: &Api, practitioner: &Practitioner, slots: &[String]) {
    eventually(SOON, "the availability answer follows", async || {
        let (free, source) = practitioner.free_slots(api).await;
        ensure(
            free == slots && source == "bitmap",
            format!("{source}: {free:?}"),
        )
    })
    .await;
    eventually(SOON, "the search answer follows", async || {
        let next = practitioner.next_slot_in_search(api).await;
        ensure(next.as_ref() == slots.first(), format!("{next:?}"))
    })
    .await;
}

async fn both_are_told(api: &Api, practitioner: &Practitioner, times: usize) {
    for address in ["alice@patients.example", &practitioner.email] {
        let last = mail::wait_for(api, address, times).await;
        assert!(last.subject.is_some_and(|subject| !subject.is_empty()));
        assert!(last.text.is_some_and(|text| !text.is_empty()));
    }
}

/// One event a change, each complete, and nothing personal in any.
async fn what_was_said(world: &World, booking: &str, successor: &str) {
    let events = events::of_topic(world, "booking-events").await;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.kind.as_str(),
                event.data["booking_id"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("BookingCreated", booking),
            ("BookingRescheduled", successor),
            ("BookingCancelled", successor),
        ]
    );
    let calendar_uids: Vec<_> = events
        .iter()
        .map(|event| &event.data["calendar_uid"])
        .collect();
    assert!(
        calendar_uids.iter().all(|uid| *uid == calendar_uids[0]),
        "{calendar_uids:?}"
    );
    for event in &events {
        assert_eq!(event.data["schema"], 1);
        let text = event.data.to_string();
        assert!(!text.contains("alice") && !text.contains('@'), "{text}");
    }
}

#[tokio::test]
async fn a_refused_reschedule_leaves_the_old_booking_untouched() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Firm");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice
        .book(practitioner.id, &slots[0])
        .await
        .expect(201)
        .text_of("booking_id");
    bob.book(practitioner.id, &slots[1]).await.expect(201);

    let refused = alice.reschedule(&booking, "\"1\"", &slots[1]).await;
    let refused = refused.expect_problem(409, "slot-taken").json();
    assert_eq!(
        refused["alternatives"].as_array().map(Vec::len),
        Some(3),
        "{refused}"
    );
    let kept = alice
        .get(&format!("/v1/bookings/{booking}"))
        .await
        .expect(200);
    assert_eq!(kept.json()["status"], "confirmed");
    assert_eq!(kept.header("etag"), "\"1\"");
    world.settle().await;
}

#[tokio::test]
async fn a_hold_keeps_the_slot_and_a_booking_confirms_it() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Hold");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&alice).await;
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[0] });
    let held = alice.post("/v1/holds", &wish).await.expect(201).json();
    assert!(held["expires_at"].is_string(), "{held}");
    bob.book(practitioner.id, &slots[0])
        .await
        .expect_problem(409, "slot-taken");

    let hold = held["hold_id"]
        .as_str()
        .or(held["booking_id"].as_str())
        .unwrap()
        .to_owned();
    let headers = [("idempotency-key", "confirms")];
    let body = json!({ "hold_id": hold }).to_string();
    let confirmed = alice
        .send(reqwest::Method::POST, "/v1/bookings", &headers, Some(body))
        .await
        .expect(201);
    assert_eq!(confirmed.json()["status"], "confirmed");
    world.settle().await;
}

#[tokio::test]
async fn a_line_that_is_wrong_is_named_and_does_not_stop_the_others() {
    let world = World::start(Services::Embedded).await;
    let (first, last) = (
        Practitioner::in_berlin("First"),
        Practitioner::in_berlin("Last"),
    );
    let mut wrong = Practitioner::in_berlin("Wrong").json();
    wrong["time_zone"] = json!("Europe/Nowhere");
    let mut ancient = Practitioner::in_berlin("Ancient").json();
    ancient["exceptions"] = json!({ "0000-12-24": [] });
    let body = format!(
        "{}\n{wrong}\nnot json\n{ancient}\n{}\n",
        first.json(),
        last.json()
    );
    let operator = world.api().operator().await;
    let headers = [("content-type", "application/x-ndjson")];
    let answer = operator
        .send(
            reqwest::Method::POST,
            "/v1/practitioners:import",
            &headers,
            Some(body),
        )
        .await
        .expect(200);
    let lines: Vec<serde_json::Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["line"].as_u64().unwrap(),
                line["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "created"),
            (2, "rejected"),
            (3, "rejected"),
            (4, "rejected"),
            (5, "created")
        ]
    );
    assert_eq!(lines[1]["errors"][0]["pointer"], "/time_zone");
    assert_eq!(lines[3]["errors"][0]["pointer"], "/exceptions/0000-12-24");
    world.import(&[&first, &last]).await;
    world.settle().await;
}

#[tokio::test]
async fn a_booking_moves_within_its_day() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Day");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice.book(practitioner.id, &slots[0]).await.expect(201);
    free_are(&alice, &practitioner, &slots[1..]).await;
    let booking = booking.text_of("booking_id");
    alice
        .reschedule(&booking, "\"1\"", &slots[1])
        .await
        .expect(201);
    let left: Vec<_> = [&slots[..1], &slots[2..]].concat();
    free_are(&alice, &practitioner, &left).await;
    world.settle().await;
}
