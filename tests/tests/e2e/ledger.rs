//! The delivery ledger: who is told, by whom, and when it is given up.

use futures::future::join_all;
use praxis_tests::directory::fresh_id;
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Practitioner, Services, World, eventually, mail, place};
use sqlx::PgPool;
use tokio::process::Command;

use crate::suppressed::suppress;
use crate::waitlist::patients;

/// The statement itself: two hosts rarely meet at the right moment.
const CLAIM: &str = include_str!("../../../components/notification/src/claim.sql");
const CLAIM_SECONDS_MAX: i64 = 90;
/// One before the last.
const ATTEMPTS_BEFORE_LAST: i32 = 19;

#[tokio::test]
async fn an_ailing_mailbox_is_given_up_and_a_provider_that_is_away_is_waited_for() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Ailing");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    let away = world.mail_folder().with_extension("away");
    std::fs::rename(world.mail_folder(), &away).unwrap();
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    status_is(&world.database, "patient", "waiting").await;
    status_is(&world.database, "practitioner", "waiting").await;

    // Somebody else got through, while it was tried often.
    let mut change = world.database.begin().await.unwrap();
    sqlx::query(
        "insert into deliveries (event_id, recipient, channel, audience, booking_id, tenant_id,
            template, locale, status, updated_at)
        select 'another', recipient, channel, audience, booking_id, tenant_id, template, locale,
            'sent', now() + interval '1 minute'
        from deliveries
        where audience = 'patient'",
    )
    .execute(&mut *change)
    .await
    .unwrap();
    sqlx::query(
        "update deliveries set attempts = $1 where audience = 'patient' and event_id <> 'another'",
    )
    .bind(ATTEMPTS_BEFORE_LAST)
    .execute(&mut *change)
    .await
    .unwrap();
    change.commit().await.unwrap();
    status_is(&world.database, "patient", "failed").await;
    status_is(&world.database, "practitioner", "waiting").await;

    std::fs::rename(&away, world.mail_folder()).unwrap();
    mail::wait_for(&alice, &practitioner.email, 1).await;
    world.settle().await;
    assert!(mail::to(&alice, "alice@patients.example").await.is_empty());
}

#[tokio::test]
async fn what_another_host_claimed_is_left_to_it_until_it_is_certainly_dead() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Claimed");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    let away = world.mail_folder().with_extension("away");
    std::fs::rename(world.mail_folder(), &away).unwrap();
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    eventually(SOON, "the other host claims it", async || {
        let claimed = sqlx::query(
            "update deliveries set status = 'sending', updated_at = now()
            where audience = 'patient' and status = 'waiting'",
        )
        .execute(&world.database)
        .await
        .unwrap();
        ensure(claimed.rows_affected() == 1, "it is not there")
    })
    .await;
    std::fs::rename(&away, world.mail_folder()).unwrap();
    // The patient comes first: this host had its chance.
    mail::wait_for(&alice, &practitioner.email, 1).await;
    status_is(&world.database, "patient", "sending").await;
    assert!(mail::to(&alice, "alice@patients.example").await.is_empty());

    sqlx::query(
        "update deliveries set updated_at = now() - interval '91 seconds'
        where audience = 'patient'",
    )
    .execute(&world.database)
    .await
    .unwrap();
    mail::wait_for(&alice, "alice@patients.example", 1).await;
    world.settle().await;
    mail::wait_for(&alice, "alice@patients.example", 1).await;
}

#[tokio::test]
async fn of_many_hosts_that_claim_a_delivery_at_once_one_gets_it() {
    let world = World::start(Services::Embedded).await;
    for round in 0..50 {
        let event = format!("event-{round}");
        claim_together(&world.database, &event, 1).await;
        claim_together(&world.database, &event, 0).await;
        set(&world.database, "status = 'waiting'").await;
        claim_together(&world.database, &event, 1).await;
        set(
            &world.database,
            "updated_at = now() - interval '91 seconds'",
        )
        .await;
        claim_together(&world.database, &event, 1).await;
        set(&world.database, "status = 'sent'").await;
        claim_together(&world.database, &event, 0).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_on_the_list_whatever_was_asked() {
    let world = World::start(Services::Embedded).await;
    let address = "listed@patients.example";
    suppress(&world.database, address).await;
    for (asked, becomes) in [
        ("sending", "suppressed"),
        ("failed", "suppressed"),
        ("too-old", "too-old"),
        ("opted-out", "opted-out"),
    ] {
        let claimed = claim(&world.database, asked, asked, address).await;
        let statuses = claimed.iter().map(|claimed| (claimed.0, &claimed.1[..]));
        let mut statuses: Vec<_> = statuses.collect();
        statuses.sort_unstable();
        let mut expected = [(true, becomes), (true, "no-address")];
        expected.sort_unstable();
        assert_eq!(statuses, expected, "{asked}");
    }
    let words: i64 = sqlx::query_scalar(
        "select count(template_version) from deliveries where status = 'suppressed'",
    )
    .fetch_one(&world.database)
    .await
    .unwrap();
    assert_eq!(words, 0, "nobody was told in any words");
}

async fn claim_together(database: &PgPool, event: &str, winners: usize) {
    let claims = (0..4).map(async |_| {
        let claimed = claim(database, event, "sending", "alice@patients.example").await;
        let is_won = |(is_ours, _, _, recipient, _): &Claimed| *is_ours && recipient == "recipient";
        claimed.iter().any(is_won)
    });
    let won = join_all(claims).await.into_iter().filter(|won| *won);
    assert_eq!(won.count(), winners, "{event}");
}

/// Whether it is ours, its status, its tries, its recipient and its channel.
type Claimed = (bool, String, i32, String, String);

/// Beside one that has no address.
async fn claim(database: &PgPool, event: &str, status: &str, address: &str) -> Vec<Claimed> {
    sqlx::query_as(CLAIM)
        .bind(event)
        .bind(fresh_id())
        .bind("clinic")
        .bind(CLAIM_SECONDS_MAX)
        .bind(["recipient", "another"])
        .bind(["email", "email"])
        .bind(["patient", "practitioner"])
        .bind([
            "booking-created.patient.email",
            "booking-created.practitioner.email",
        ])
        .bind(["en", "en"])
        .bind([status, "no-address"])
        .bind([None::<String>, None])
        .bind([Some("clinic"), None])
        .bind([Some("en"), None])
        .bind([Some(1), None])
        .bind([Some("0".repeat(64)), None])
        .bind([Some(address), None])
        .fetch_all(database)
        .await
        .unwrap()
}

async fn set(database: &PgPool, change: &'static str) {
    let update = sqlx::AssertSqlSafe(format!("update deliveries set {change}"));
    sqlx::query(update).execute(database).await.unwrap();
}

async fn status_is(database: &PgPool, audience: &str, expected: &str) {
    let what = format!("the {audience}'s delivery is {expected}");
    eventually(SOON, &what, async || {
        let status: Option<String> = sqlx::query_scalar(
            "select status from deliveries where audience = $1 and event_id <> 'another'",
        )
        .bind(audience)
        .fetch_optional(database)
        .await
        .unwrap();
        ensure(status.as_deref() == Some(expected), format!("{status:?}"))
    })
    .await;
}

#[tokio::test]
async fn a_replay_tells_nobody_again_on_what_is_embedded() {
    a_replay_tells_nobody_again(Services::Embedded).await;
}

#[tokio::test]
async fn a_replay_tells_nobody_again_on_kafka() {
    a_replay_tells_nobody_again(Services::Brokered).await;
}

/// Nothing stops for it: others book meanwhile, and are told once.
async fn a_replay_tells_nobody_again(services: Services) {
    const GROUP: &str = "praxis.notification";
    let world = World::start(services).await;
    let practitioner = Practitioner::in_berlin("Replayed");
    world.import(&[&practitioner]).await;
    let [alice, bob] = patients(&world, ["alice", "bob"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booked = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let (id, etag) = (booked.text_of("booking_id"), booked.header("etag"));
    alice.cancel(&id, etag).await.expect(200);
    mail::wait_for(&alice, "alice@patients.example", 2).await;
    mail::wait_for(&alice, &practitioner.email, 2).await;

    let tries = tries_of(&world, GROUP).await;
    let replay = replay_by_command(&world, GROUP, "booking-events");
    let (told, _) = tokio::join!(replay, bob.book(practitioner.id, &slots[1]));
    let again = format!("{GROUP} handles again booking-events/");
    assert!(told.starts_with(&again), "{told}");
    mail::wait_for(&bob, "bob@patients.example", 1).await;
    mail::wait_for(&bob, &practitioner.email, 3).await;
    replay_by_command(&world, GROUP, "booking-events").await;
    world.settle().await;

    // What Bob did, what Alice did once more, and then all three once more.
    let tried = tries_of(&world, GROUP).await - tries;
    assert!(tried >= 6, "{tried} tries since the first replay");
    let told = async |address| mail::to(&alice, address).await.len();
    assert_eq!(told("alice@patients.example").await, 2);
    assert_eq!(told("bob@patients.example").await, 1);
    assert_eq!(told(&practitioner.email).await, 3);
}

/// `praxis replay`, from the earliest event on; gives what it prints.
async fn replay_by_command(world: &World, group: &str, topic: &str) -> String {
    let operator = world.api().operator().await;
    let of = ["--group", group, "--topic", topic, "--from", "earliest"];
    let command = Command::new(place::praxis())
        .arg("replay")
        .args(of)
        .env("PRAXIS_URL", &world.host.base)
        .env("PRAXIS_TOKEN", operator.token())
        .output();
    let output = command.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// How often the group's handler was called, as the host shows it.
async fn tries_of(world: &World, group: &str) -> u64 {
    let operator = world.api().operator().await;
    let answer = operator.get("/v1/ops/consumers").await.expect(200).json();
    let items = answer["items"].as_array().unwrap().iter();
    let of_group = items.filter(|item| item["group"] == group);
    let tries = of_group.map(|item| item["here"]["handler"]["tries"].as_u64().unwrap_or(0));
    tries.sum()
}
