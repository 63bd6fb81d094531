//! Holds: kept up, given back, run out.

use praxis_tests::{Answer, Api, Practitioner, Services, World, events};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use crate::flow::free_are;

async fn hold(api: &Api, practitioner: &Practitioner, slot: &str) -> Answer {
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slot });
    api.post("/v1/holds", &wish).await
}

async fn heartbeat(api: &Api, hold: &str) -> Answer {
    let path = format!("/v1/holds/{hold}/heartbeat");
    api.send(Method::POST, &path, &[], None).await
}

async fn release(api: &Api, hold: &str, headers: &[(&str, &str)]) -> Answer {
    let path = format!("/v1/holds/{hold}");
    api.send(Method::DELETE, &path, headers, None).await
}

async fn confirm(api: &Api, hold: &str) -> Answer {
    let headers = [("idempotency-key", hold)];
    let body = json!({ "hold_id": hold }).to_string();
    api.send(Method::POST, "/v1/bookings", &headers, Some(body))
        .await
}

/// Makes a hold older than it is, by SQL: nobody waits for minutes.
async fn age(database: &PgPool, hold: &str, seconds: i32) {
    sqlx::query(
        "update bookings
        set created_at = created_at - make_interval(secs => $2),
            hold_expires_at = hold_expires_at - make_interval(secs => $2)
        where id = $1::text::uuid",
    )
    .bind(hold)
    .bind(f64::from(seconds))
    .execute(database)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_heartbeat_keeps_a_hold_and_only_its_holders_can_send_one() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Beat");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&alice).await;
    let held = hold(&alice, &practitioner, &slots[0]).await.expect(201);
    let id = held.text_of("booking_id");

    // At once it would add nothing.
    let same = heartbeat(&alice, &id).await.expect(200);
    assert_eq!(same.header("etag"), "\"1\"");
    assert_eq!(same.text_of("expires_at"), held.text_of("expires_at"));

    age(&world.database, &id, 240).await;
    let extended = heartbeat(&alice, &id).await.expect(200);
    // One version for the change by SQL, one for the heartbeat.
    assert_eq!(extended.header("etag"), "\"3\"");
    assert!(extended.text_of("expires_at") >= held.text_of("expires_at"));
    assert_eq!(extended.json()["status"], "held");

    heartbeat(&bob, &id).await.expect(404).check_problem();
    release(&bob, &id, &[]).await.expect(404).check_problem();
    bob.book(practitioner.id, &slots[0])
        .await
        .expect_problem(409, "slot-taken");

    // Left alone, it runs out.
    age(&world.database, &id, 240).await;
    age(&world.database, &id, 1_500 - 480).await;
    heartbeat(&alice, &id)
        .await
        .expect_problem(409, "hold-expired");
    world.settle().await;
}

#[tokio::test]
async fn no_hold_outlives_the_limit_however_often_it_beats() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Limit");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let held = hold(&alice, &practitioner, &slots[0]).await.expect(201);
    let id = held.text_of("booking_id");
    for _ in 0..7 {
        age(&world.database, &id, 230).await;
        heartbeat(&alice, &id).await.expect(200);
    }
    // 27 minutes old: it may be 30.
    age(&world.database, &id, 10).await;
    let left: i32 = sqlx::query_scalar(
        "select extract(epoch from hold_expires_at - now())::int from bookings where id = $1::text::uuid",
    )
    .bind(&id)
    .fetch_one(&world.database)
    .await
    .unwrap();
    assert!((100..=190).contains(&left), "{left} s are left");
    world.settle().await;
}

#[tokio::test]
async fn a_hold_that_is_given_back_is_free_for_everybody() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Back");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&alice).await;
    let held = hold(&alice, &practitioner, &slots[0]).await.expect(201);
    let id = held.text_of("booking_id");
    free_are(&bob, &practitioner, &slots[1..]).await;

    release(&alice, &id, &[("if-match", "\"7\"")])
        .await
        .expect_problem(412, "version-conflict");
    release(&alice, &id, &[("if-match", "seven")])
        .await
        .expect(400)
        .check_problem();
    release(&alice, &id, &[("if-match", "\"1\"")])
        .await
        .expect(204);
    release(&alice, &id, &[])
        .await
        .expect_problem(409, "not-held");
    heartbeat(&alice, &id).await.expect_problem(409, "not-held");
    confirm(&alice, &id)
        .await
        .expect_problem(409, "booking-not-active");
    free_are(&bob, &practitioner, &slots).await;
    bob.book(practitioner.id, &slots[0]).await.expect(201);
    world.settle().await;
    let told: Vec<_> = events::of_topic(&world, "booking-events")
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(told, ["SlotHeld", "HoldExpired", "BookingCreated"]);
}

#[tokio::test]
async fn what_is_confirmed_is_no_hold_any_more() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Confirmed");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let held = hold(&alice, &practitioner, &slots[0]).await.expect(201);
    let id = held.text_of("booking_id");
    confirm(&alice, &id).await.expect(201);
    // A booking is not cancelled by who thinks that it is still a hold.
    let refused = release(&alice, &id, &[])
        .await
        .expect_problem(409, "not-held");
    assert_eq!(refused.json()["booking_status"], "confirmed");
    let path = format!("/v1/bookings/{id}");
    assert_eq!(
        alice.get(&path).await.expect(200).json()["status"],
        "confirmed"
    );
    world.settle().await;
}

#[tokio::test]
async fn a_hold_that_has_run_out_gives_way_at_once_and_everybody_is_told() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Out");
    world.import(&[&practitioner]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let (slots, _) = practitioner.free_slots(&alice).await;
    let given_way = hold(&alice, &practitioner, &slots[0]).await.expect(201);
    let swept = hold(&alice, &practitioner, &slots[1]).await.expect(201);
    free_are(&bob, &practitioner, &slots[2..]).await;
    let given_way = given_way.text_of("booking_id");
    age(&world.database, &given_way, 400).await;
    // The bitmap still says that it is held, and the timer may not have come yet.
    bob.book(practitioner.id, &slots[0]).await.expect(201);
    confirm(&alice, &given_way)
        .await
        .expect_problem(409, "hold-expired");
    // Nobody wants the other one: the timer announces it.
    age(&world.database, &swept.text_of("booking_id"), 400).await;
    free_are(&bob, &practitioner, &slots[1..]).await;
    world.settle().await;
    let events = events::of_topic(&world, "booking-events").await;
    let expired = events.iter().filter(|event| event.kind == "HoldExpired");
    assert_eq!(expired.count(), 2);
}
