//! Many want one slot.

use std::collections::BTreeMap;

use futures::future::join_all;
use praxis_tests::directory::fresh_id;
use praxis_tests::{Practitioner, Services, World, events};

const CLIENTS: usize = 64;
const ROUNDS: usize = 200;
/// The horizon has 62 days, and two of them are closed: 60 × 8 hours are enough for all rounds.
const AVAILABILITY_DAYS: u64 = 61;

#[tokio::test]
async fn of_64_clients_who_want_one_slot_one_gets_it() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Race");
    world.import(&[&practitioner]).await;
    let clients =
        join_all((0..CLIENTS).map(async |n| world.api().patient(&format!("racer-{n}")).await))
            .await;

    let slots = slots_of_the_horizon(&world, &practitioner).await;
    assert!(
        slots.len() >= ROUNDS,
        "there are only {} slots",
        slots.len()
    );
    for slot in &slots[..ROUNDS] {
        let attempts = clients
            .iter()
            .map(|client| client.book(practitioner.id, slot));
        let answers = join_all(attempts).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 1, "{} clients got {slot}", won.len());
        assert_eq!(lost.len(), CLIENTS - 1);
        for answer in lost {
            answer.expect_problem(409, "slot-taken");
        }
    }

    let confirmed: Vec<i64> = sqlx::query_scalar(
        "select count(*) from bookings where status = 'confirmed' group by slot_start",
    )
    .fetch_all(&world.database)
    .await
    .unwrap();
    assert_eq!(confirmed, vec![1; ROUNDS]);

    world.settle().await;
    let created: Vec<_> = events::of_topic(&world, "booking-events").await;
    let mut times_created: BTreeMap<String, usize> = BTreeMap::new();
    for event in &created {
        assert_eq!(event.kind, "BookingCreated");
        assert_eq!(event.key, practitioner.id.to_string());
        *times_created
            .entry(event.data["slot_start"].to_string())
            .or_default() += 1;
    }
    assert_eq!(times_created.len(), ROUNDS);
    assert!(
        times_created.values().all(|times| *times == 1),
        "{times_created:?}"
    );
    the_stream_has_no_gap(&world, &practitioner).await;
}

/// Refused inserts must not use up a version.
async fn the_stream_has_no_gap(world: &World, practitioner: &Practitioner) {
    let mut versions = Vec::new();
    for topic in ["practitioner-events", "booking-events"] {
        let events = events::of_topic(world, topic).await;
        let own = events
            .iter()
            .filter(|event| event.key == practitioner.id.to_string());
        versions.extend(own.map(|event| event.stream_version));
    }
    versions.sort_unstable();
    let expected: Vec<u64> = (1..=versions.len() as u64).collect();
    assert_eq!(versions, expected);
    let held: i64 = sqlx::query_scalar("select version from practitioners where id = $1")
        .bind(practitioner.id)
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(held, versions.len() as i64);
}

async fn slots_of_the_horizon(world: &World, practitioner: &Practitioner) -> Vec<String> {
    let from = practitioner.closed[0];
    let to = from + chrono::Days::new(AVAILABILITY_DAYS);
    let id = practitioner.id;
    let path = format!("/v1/practitioners/{id}/availability?from={from}&to={to}");
    praxis_tests::directory::slots(&world.api().get(&path).await.expect(200).json())
}

#[tokio::test]
async fn the_same_key_books_once_however_often_it_is_sent() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Repeat");
    world.import(&[&practitioner]).await;
    let patient = world.api().patient("repeating").await;
    let (slots, _) = practitioner.free_slots(&patient).await;
    let key = fresh_id().to_string();

    let repeats = (0..8).map(|_| patient.book_with_key(practitioner.id, &slots[0], &key));
    let answers = join_all(repeats).await;
    let bodies: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect(201).json())
        .collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");

    patient
        .book_with_key(practitioner.id, &slots[1], &key)
        .await
        .expect_problem(422, "idempotency-key-reused");
    let rows: i64 = sqlx::query_scalar("select count(*) from bookings")
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(rows, 1);
    world.settle().await;
}
