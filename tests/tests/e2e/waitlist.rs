//! Waiting for a slot that somebody gives back.

use futures::future::join_all;
use praxis_tests::directory::{SPECIALTY, same_instant};
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Answer, Api, Practitioner, Services, World, events, eventually, mail};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::flow::free_are;

/// After everything that can be booked.
pub const LATE: &str = "2199-01-01T00:00:00Z";

#[tokio::test]
async fn who_waits_is_offered_what_comes_free_and_books_it() {
    offered_and_booked(Services::Embedded).await;
}

#[tokio::test]
async fn who_waits_is_offered_what_comes_free_over_kafka_too() {
    offered_and_booked(Services::Brokered).await;
}

async fn offered_and_booked(services: Services) {
    let world = World::start(services).await;
    let practitioner = Practitioner::in_berlin("Sought");
    world.import(&[&practitioner]).await;
    let [alice, bob, carol] = patients(&world, ["alice", "bob", "carol"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let given_up = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let entry = join(&bob, practitioner.id).await.expect(201).json();
    assert_eq!(entry["status"], "waiting");
    assert_eq!(entry["practitioner_id"], practitioner.id.to_string());

    cancel(&alice, &given_up).await;
    let hold = offer(&bob, &slots[0]).await;
    assert_eq!(hold["status"], "held");
    free_are(&carol, &practitioner, &slots[1..]).await;
    carol
        .book(practitioner.id, &slots[0])
        .await
        .expect_problem(409, "slot-taken");
    let told = mail::wait_for(&bob, "bob@patients.example", 1).await;
    assert!(
        told.text.unwrap().contains("came free"),
        "{:?}",
        told.subject
    );

    let booked = confirm(&bob, &hold).await.expect(201);
    assert_eq!(booked.json()["status"], "confirmed");
    // At once, whether the event has arrived or not.
    assert_eq!(status(&bob).await, "fulfilled");
    world.settle().await;
    assert_eq!(status(&bob).await, "fulfilled");
    mail::wait_for(&bob, "bob@patients.example", 2).await;
    // Booked, cancelled, booked: of the offer the practitioner was not told.
    mail::wait_for(&bob, &practitioner.email, 3).await;

    // What was fulfilled waits for nothing more, whatever becomes of the booking.
    cancel(&bob, &booked).await;
    free_are(&carol, &practitioner, &slots).await;
    world.settle().await;
    let kinds: Vec<_> = events::of_topic(&world, "booking-events")
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            "BookingCreated",
            "BookingCancelled",
            "HoldOffered",
            "BookingCreated",
            "BookingCancelled"
        ]
    );
}

#[tokio::test]
async fn what_the_first_does_not_take_goes_to_the_next_and_then_to_everybody() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Passed");
    world.import(&[&practitioner]).await;
    let [alice, bob, carol, dora] = patients(&world, ["alice", "bob", "carol", "dora"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let given_up = alice.book(practitioner.id, &slots[0]).await.expect(201);
    for patient in [&bob, &carol, &dora] {
        join(patient, practitioner.id).await.expect(201);
    }
    cancel(&alice, &given_up).await;
    let hold = offer(&bob, &slots[0]).await;
    assert_eq!(statuses(&[&carol, &dora]).await, ["waiting", "waiting"]);

    run_out(&world, &hold).await;
    let hold = offer(&carol, &slots[0]).await;
    assert_eq!(statuses(&[&bob, &dora]).await, ["waiting", "waiting"]);

    // Who lets it go is not offered it again, but waits for another.
    let path = format!("/v1/bookings/{}/cancel", text(&hold, "booking_id"));
    carol
        .send(Method::POST, &path, &[("if-match", "\"1\"")], None)
        .await
        .expect(200);
    let hold = offer(&dora, &slots[0]).await;
    run_out(&world, &hold).await;
    free_are(&alice, &practitioner, &slots).await;
    world.settle().await;
    assert_eq!(
        statuses(&[&bob, &carol, &dora]).await,
        ["waiting", "waiting", "waiting"]
    );

    let moved = alice.book(practitioner.id, &slots[1]).await.expect(201);
    let moved = moved.text_of("booking_id");
    alice
        .reschedule(&moved, "\"1\"", &slots[2])
        .await
        .expect(201);
    offer(&bob, &slots[1]).await;
    world.settle().await;
}

#[tokio::test]
async fn an_offer_is_for_whom_it_suits() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Suited");
    let other = Practitioner::in_berlin("Other");
    world.import(&[&practitioner, &other]).await;
    let people = [
        "alice",
        "other",
        "early",
        "late",
        "away",
        "elsewhere",
        "near",
    ];
    let people = patients(&world, people).await;
    let [alice, of_other, early, late, away, dentist, near] = &people;
    let (slots, _) = practitioner.free_slots(alice).await;
    let given_up = alice.book(practitioner.id, &slots[3]).await.expect(201);

    join(of_other, other.id).await.expect(201);
    let id = practitioner.id;
    let wish = json!({ "practitioner_id": id, "to": slots[3] });
    early.post("/v1/waitlist", &wish).await.expect(201);
    let wish = json!({ "practitioner_id": id, "from": slots[4], "to": LATE });
    late.post("/v1/waitlist", &wish).await.expect(201);
    let area = |lat: f64, specialty: &str| {
        let search = json!({ "lat": lat, "lon": 13.405, "radius_km": 5, "specialty": specialty });
        json!({ "search": search, "from": slots[3], "to": slots[4] })
    };
    // Six kilometres, and four.
    let wish = area(practitioner.lat + 0.054, SPECIALTY);
    away.post("/v1/waitlist", &wish).await.expect(201);
    let wish = area(practitioner.lat, "dentistry");
    dentist.post("/v1/waitlist", &wish).await.expect(201);
    let wish = area(practitioner.lat + 0.036, SPECIALTY);
    let entry = near.post("/v1/waitlist", &wish).await.expect(201).json();
    assert_eq!(entry["search"], wish["search"]);

    cancel(alice, &given_up).await;
    let hold = offer(near, &slots[3]).await;
    run_out(&world, &hold).await;
    free_are(alice, &practitioner, &slots).await;
    world.settle().await;
    let others = statuses(&[of_other, early, late, away, dentist]).await;
    assert_eq!(others, ["waiting"; 5]);
}

#[tokio::test]
async fn who_waits_no_longer_gives_back_what_is_offered() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Left");
    world.import(&[&practitioner]).await;
    let [alice, bob, carol, dora] = patients(&world, ["alice", "bob", "carol", "dora"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let given_up = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let entry = join(&bob, practitioner.id).await.expect(201);
    for patient in [&carol, &dora] {
        join(patient, practitioner.id).await.expect(201);
    }
    cancel(&alice, &given_up).await;
    offer(&bob, &slots[0]).await;
    let path = format!("/v1/waitlist/{}", entry.text_of("waitlist_id"));
    let leave = async |who: &Api| who.send(Method::DELETE, &path, &[], None).await;
    leave(&carol).await.expect(404);
    leave(&bob).await.expect(204);
    leave(&bob).await.expect(404);
    offer(&carol, &slots[0]).await;

    // Nobody waits for who is erased, and nothing is held for them.
    carol
        .send(Method::DELETE, "/v1/patients/me", &[], None)
        .await
        .expect(204);
    let hold = offer(&dora, &slots[0]).await;
    confirm(&dora, &hold).await.expect(201);
    world.settle().await;
    let left: i64 = sqlx::query_scalar("select count(*) from waitlist")
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_replay_offers_nothing_again() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Replayed");
    world.import(&[&practitioner]).await;
    let [alice, bob, carol] = patients(&world, ["alice", "bob", "carol"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let given_up = alice.book(practitioner.id, &slots[0]).await.expect(201);
    for patient in [&bob, &carol] {
        join(patient, practitioner.id).await.expect(201);
    }
    cancel(&alice, &given_up).await;
    let hold = offer(&bob, &slots[0]).await;
    let replay = async || {
        world.settle().await;
        let operator = world.api().operator().await;
        let body = json!({ "topic": "booking-events", "from": "earliest" });
        operator
            .post("/v1/ops/consumers/praxis.booking/replay", &body)
            .await
            .expect(200);
        world.settle().await;
    };
    replay().await;
    assert_eq!(statuses(&[&bob, &carol]).await, ["offered", "waiting"]);
    run_out(&world, &hold).await;
    let hold = offer(&carol, &slots[0]).await;
    replay().await;
    assert_eq!(statuses(&[&bob, &carol]).await, ["waiting", "offered"]);
    confirm(&carol, &hold).await.expect(201);
    replay().await;
    assert_eq!(statuses(&[&bob, &carol]).await, ["waiting", "fulfilled"]);
    let offers = events::of_topic(&world, "booking-events").await;
    let offers = offers.iter().filter(|event| event.kind == "HoldOffered");
    assert_eq!(offers.count(), 2);
}

pub async fn patients<const N: usize>(world: &World, names: [&str; N]) -> [Api; N] {
    let patients = join_all(names.map(async |name| world.api().patient(name).await)).await;
    patients.try_into().ok().unwrap()
}

pub async fn join(api: &Api, practitioner: Uuid) -> Answer {
    let wish = json!({ "practitioner_id": practitioner, "to": LATE });
    api.post("/v1/waitlist", &wish).await
}

async fn cancel(api: &Api, booking: &Answer) {
    let id = booking.text_of("booking_id");
    api.cancel(&id, booking.header("etag")).await.expect(200);
}

async fn confirm(api: &Api, hold: &Value) -> Answer {
    let body = json!({ "hold_id": hold["booking_id"] }).to_string();
    let headers = [("idempotency-key", "takes-it")];
    api.send(Method::POST, "/v1/bookings", &headers, Some(body))
        .await
}

/// The only entry of a patient.
async fn entry(api: &Api) -> Value {
    let listed = api.get("/v1/waitlist").await.expect(200).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{listed}");
    items[0].clone()
}

async fn status(api: &Api) -> String {
    text(&entry(api).await, "status")
}

pub async fn statuses(apis: &[&Api]) -> Vec<String> {
    join_all(apis.iter().map(|api| status(api))).await
}

/// Waits until the slot is offered, and gives the hold.
async fn offer(api: &Api, slot: &str) -> Value {
    eventually(SOON, "the slot is offered", async || {
        let entry = entry(api).await;
        ensure(entry["status"] == "offered", &entry)?;
        let hold = entry["booking"].clone();
        assert_eq!(same_instant(&text(&hold, "slot_start")), slot);
        Ok::<_, String>(hold)
    })
    .await
}

/// As if its time were over; the timer finds it.
async fn run_out(world: &World, hold: &Value) {
    let id: Uuid = text(hold, "booking_id").parse().unwrap();
    sqlx::query("update bookings set hold_expires_at = now() - interval '1 second' where id = $1")
        .bind(id)
        .execute(&world.database)
        .await
        .unwrap();
}

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}
