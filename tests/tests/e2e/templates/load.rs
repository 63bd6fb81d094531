//! Words change while messages are sent.

use std::collections::BTreeMap;

use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, eventually, mail};
use sqlx::PgPool;

use super::{Template, author, mail_that_says};

const PRACTITIONERS: usize = 6;
const EVENTS: i64 = 10_000;
const PUBLISHES: usize = 50;

#[tokio::test]
async fn while_words_change_each_message_is_of_one_version_and_none_is_lost() {
    let world = World::start(Services::Embedded).await;
    let practitioners: Vec<_> = (0..PRACTITIONERS)
        .map(|n| Practitioner::in_berlin(&format!("Busy{n}")))
        .collect();
    world
        .import(&practitioners.iter().collect::<Vec<_>>())
        .await;
    let another = world.another_host().await;
    let alice = world.api().patient("alice").await;
    for practitioner in &practitioners {
        let (slots, _) = practitioner.free_slots(&alice).await;
        alice.book(practitioner.id, &slots[0]).await.expect(201);
    }
    world.settle().await;

    // Published over both hosts, in turn.
    let here = author(&world.api()).await;
    let there = author(&Api::nobody(&another.base)).await;
    let path = "booking-created/email/en";
    Template::of(&here, path, "patient")
        .published(&mail_that_says("version 1"))
        .await;
    let before = sent(&world.database).await;
    repeat_events(&world.database).await;
    for number in 2..=PUBLISHES {
        some_more(&world.database).await;
        let staff = if number % 2 == 0 { &there } else { &here };
        let version = Template::of(staff, path, "patient")
            .published(&mail_that_says(&format!("version {number}")))
            .await;
        assert_eq!(usize::try_from(version).unwrap(), number);
    }
    world.settle().await;

    let after = sent(&world.database).await;
    let told = |of: &BTreeMap<Option<i32>, i64>| of.values().sum::<i64>();
    assert_eq!(told(&after) - told(&before), EVENTS, "{after:?}");
    let versions = after.keys().flatten().count();
    assert!(
        versions > PUBLISHES / 2,
        "little was sent while words changed: {after:?}"
    );

    // Each mail is of one version in all its parts, and the ledger names it.
    let mut mails = mail::kept_in(&world.mail_folder(), "alice@patients.example");
    let others = mail::kept_in(&world.mail_folder_of_another(), "alice@patients.example");
    let shares = [mails.len(), others.len()];
    assert!(!shares.contains(&0), "one host did it all: {shares:?}");
    mails.extend(others);
    let mut seen: BTreeMap<Option<i32>, i64> = BTreeMap::new();
    for mail in &mails {
        let subject = mail.subject.as_deref().unwrap();
        let version = subject.strip_prefix("version ");
        if version.is_some() {
            let text = mail.text.as_deref().unwrap();
            let html = mail.html.as_deref().unwrap();
            assert!(text.starts_with(&format!("{subject} ")), "{mail:?}");
            assert!(html.contains(&format!("<p>{subject} ")), "{mail:?}");
        }
        let version = version.map(|number| number.parse().unwrap());
        *seen.entry(version).or_default() += 1;
    }
    assert_eq!(seen, after);
}

/// Waits until part of the messages between two publishes has gone out, or all of them.
async fn some_more(database: &PgPool) {
    let count = async || {
        let sent = sent(database).await;
        sent.values().sum::<i64>()
    };
    let enough = (count().await + EVENTS / 100).min(EVENTS);
    eventually(SOON, "messages go out", async || {
        let sent = count().await;
        ensure(sent >= enough, format!("{sent} of {enough}"))
    })
    .await;
}

/// What was sent to patients, by version.
async fn sent(database: &PgPool) -> BTreeMap<Option<i32>, i64> {
    let rows: Vec<(Option<i32>, i64)> = sqlx::query_as(
        "select template_version, count(*)
        from deliveries
        where audience = 'patient' and status = 'sent'
        group by template_version",
    )
    .fetch_all(database)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// As if each booking had been made again and again: the news of it, under new ids.
async fn repeat_events(database: &PgPool) {
    sqlx::query(
        "insert into outbox (topic, key, kind, stream_version, data)
        select topic, key, kind, stream_version, data
        from outbox
        cross join generate_series(1, $1::bigint) as n
        where kind = 'BookingCreated'
        order by n, outbox.id
        limit $1",
    )
    .bind(EVENTS)
    .execute(database)
    .await
    .unwrap();
}
