//! Services that are away, and a host that is killed.

use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, eventually, mail};
use sqlx::PgPool;

#[tokio::test]
async fn without_redis_slots_are_shown_and_booked() {
    let mut world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Cacheless");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, source) = practitioner.free_slots(&alice).await;
    assert_eq!(source, "bitmap");

    world.redis.stop().await.unwrap();
    let (uncached, source) = practitioner.free_slots(&alice).await;
    assert_eq!((&uncached, source.as_str()), (&slots, "database"));
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    alice
        .book(practitioner.id, &slots[0])
        .await
        .expect_problem(409, "slot-taken");
    let (uncached, _) = practitioner.free_slots(&alice).await;
    assert_eq!(uncached, slots[1..]);
    mail::wait_for(&alice, "alice@patients.example", 1).await;

    world.redis.start_again().await.unwrap();
    bitmap_shows(&alice, &practitioner, &slots[1..]).await;
    world.settle().await;
}

#[tokio::test]
async fn a_redis_that_forgot_everything_never_shows_a_taken_slot() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Forgetful");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    world.settle().await;

    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    let (free, _) = practitioner.free_slots(&alice).await;
    assert_eq!(free, slots[1..]);
    bitmap_shows(&alice, &practitioner, &slots[1..]).await;
    world.settle().await;
}

#[tokio::test]
async fn without_the_index_only_the_search_is_away() {
    let world = World::start(Services::Brokered).await;
    let practitioner = Practitioner::in_berlin("Unsearched");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    let gate = world.index_gate.as_ref().unwrap();
    gate.shut();
    alice
        .get(&practitioner.search_path())
        .await
        .expect(503)
        .check_problem();
    let id = practitioner.id;
    alice
        .get(&format!("/v1/practitioners/{id}"))
        .await
        .expect(200);
    alice.book(id, &slots[0]).await.expect(201);
    bitmap_shows(&alice, &practitioner, &slots[1..]).await;
    mail::wait_for(&alice, "alice@patients.example", 1).await;

    gate.open();
    eventually(SOON, "the search answer catches up", async || {
        let answer = alice.get(&practitioner.search_path()).await;
        if answer.status != 200 {
            return Err(answer.text);
        }
        let next = practitioner.next_slot_in_search(&alice).await;
        ensure(next.as_ref() == Some(&slots[1]), format!("{next:?}"))
    })
    .await;
    world.settle().await;
}

#[tokio::test]
async fn without_kafka_bookings_go_on_and_their_events_come_later() {
    let world = World::start(Services::Brokered).await;
    let practitioner = Practitioner::in_berlin("Eventless");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    let brokers = world.brokers.as_ref().unwrap();
    brokers.down();
    for slot in &slots[..3] {
        alice.book(practitioner.id, slot).await.expect(201);
    }
    assert_eq!(unpublished(&world.database).await, 3);

    brokers.up();
    mail::wait_for(&alice, "alice@patients.example", 3).await;
    mail::wait_for(&alice, &practitioner.email, 3).await;
    bitmap_shows(&alice, &practitioner, &slots[3..]).await;
    world.settle().await;
    mail::wait_for(&alice, "alice@patients.example", 3).await;
}

#[tokio::test]
async fn an_event_survives_a_host_killed_before_kafka_took_it() {
    let mut world = World::start(Services::Brokered).await;
    let practitioner = Practitioner::in_berlin("Killed");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    world.brokers.as_ref().unwrap().down();
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    assert_eq!(unpublished(&world.database).await, 1);
    world.host.kill().await;
    world.brokers.as_ref().unwrap().up();
    world.host.start_again().await;
    told_once(&world, &practitioner, &slots[1..]).await;
}

#[tokio::test]
async fn an_event_survives_a_host_killed_before_the_log_took_it() {
    let mut world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Blocked");
    world.import(&[&practitioner]).await;
    world.settle().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    // Whoever publishes must lock the partition first.
    let mut blocked = world.database.begin().await.unwrap();
    sqlx::query("select * from event_partitions for update")
        .execute(&mut *blocked)
        .await
        .unwrap();
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    assert_eq!(unpublished(&world.database).await, 1);
    world.host.kill().await;
    blocked.rollback().await.unwrap();
    world.host.start_again().await;
    told_once(&world, &practitioner, &slots[1..]).await;
}

#[tokio::test]
async fn a_host_that_is_killed_over_and_over_tells_everybody_once() {
    let mut world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Stubborn");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    const ROUNDS: usize = 4;
    for slot in &slots[..ROUNDS] {
        alice.book(practitioner.id, slot).await.expect(201);
        world.host.kill().await;
        world.host.start_again().await;
    }
    world.settle().await;
    mail::wait_for(&alice, "alice@patients.example", ROUNDS).await;
    mail::wait_for(&alice, &practitioner.email, ROUNDS).await;
    bitmap_shows(&alice, &practitioner, &slots[ROUNDS..]).await;
}

/// The event of one booking by alice had its effects, each of them once.
async fn told_once(world: &World, practitioner: &Practitioner, free: &[String]) {
    let api = world.api();
    mail::wait_for(&api, "alice@patients.example", 1).await;
    mail::wait_for(&api, &practitioner.email, 1).await;
    bitmap_shows(&api, practitioner, free).await;
    world.settle().await;
    mail::wait_for(&api, "alice@patients.example", 1).await;
    mail::wait_for(&api, &practitioner.email, 1).await;
}

async fn bitmap_shows(api: &Api, practitioner: &Practitioner, slots: &[String]) {
    eventually(SOON, "the bitmap shows what is free", async || {
        let (free, source) = practitioner.free_slots(api).await;
        ensure(
            free == slots && source == "bitmap",
            format!("{source}: {free:?}"),
        )
    })
    .await;
}

async fn unpublished(database: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from outbox where published_at is null")
        .fetch_one(database)
        .await
        .unwrap()
}
