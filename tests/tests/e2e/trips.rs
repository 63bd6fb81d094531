//! What a booking costs the database, as it goes over the wire.

use std::collections::BTreeSet;

use praxis_tests::tap::Trip;
use praxis_tests::{Practitioner, Services, World};
use serde_json::json;

const AT_ONCE: &str = include_str!("../../../components/booking/src/sql/book_at_once.sql");
const CALLER: &str = include_str!("../../../components/booking/src/sql/caller.sql");
const FOR_ALL_CASES: &str = include_str!("../../../components/booking/src/sql/book.sql");
const BOOKINGS: usize = 16;

#[tokio::test]
async fn an_ordinary_booking_is_one_statement_in_one_round_trip() {
    let (world, tap) = World::start_tapped(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Swift");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    // A first visit makes the patient: the longer way.
    tap.take();
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    let trips = tap.take();
    assert_eq!(statements(&trips), [AT_ONCE, FOR_ALL_CASES]);

    for slot in &slots[1..=BOOKINGS] {
        alice.book(practitioner.id, slot).await.expect(201);
    }
    let trips = tap.take();
    assert_eq!(statements(&trips), [AT_ONCE; BOOKINGS]);
    let of_bookings = |trip: &&Trip| trip.executed.iter().any(|text| text == AT_ONCE);
    for trip in trips.iter().filter(of_bookings) {
        assert_eq!(
            (trip.prepared.len(), trip.executed.len()),
            (0, 1),
            "{trip:#?}"
        );
        // No transaction around it.
        let own = trips
            .iter()
            .filter(|other| other.connection == trip.connection);
        let own: Vec<_> = own.collect();
        let at = own.iter().position(|other| std::ptr::eq(*other, trip));
        let after = own.get(at.unwrap() + 1);
        let ends = after.is_some_and(|after| after.executed.iter().any(|text| is_end(text)));
        assert!(!ends, "{after:#?}");
    }
    // Before it executes it for the first time a connection goes once more.
    let preparing = trips
        .iter()
        .filter(|trip| trip.prepared.iter().any(|text| text == AT_ONCE));
    let mut connections = BTreeSet::new();
    for trip in preparing {
        assert!(
            connections.insert(trip.connection),
            "prepared twice: {trip:#?}"
        );
    }

    // Who is refused hears why: decided the longer way, and not before it is clear that it was not they
    // themselves who were first.
    tap.take();
    let taken = json!({ "practitioner_id": practitioner.id, "slot_start": slots[0] });
    let headers = [("idempotency-key", "another")];
    alice
        .send(
            reqwest::Method::POST,
            "/v1/bookings",
            &headers,
            Some(taken.to_string()),
        )
        .await
        .expect_problem(409, "slot-taken");
    assert_eq!(statements(&tap.take()), [AT_ONCE, CALLER]);
    world.settle().await;
}

fn is_end(text: &str) -> bool {
    let text = text.trim_start().to_lowercase();
    text.starts_with("commit") || text.starts_with("rollback")
}

/// The statements of `POST /v1/bookings` by which something can be booked, or is found out who asks.
fn statements(trips: &[Trip]) -> Vec<&str> {
    let executed = trips.iter().flat_map(|trip| &trip.executed);
    let all = [AT_ONCE, CALLER, FOR_ALL_CASES];
    executed
        .filter_map(|text| all.into_iter().find(|known| known == text))
        .collect()
}
