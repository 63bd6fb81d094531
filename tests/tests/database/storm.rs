//! Everything at once, at random, over few slots; then the books are checked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use uuid::Uuid;

use crate::dice::Dice;
use crate::practice::{Booked, End, Practice, Wish};

const CLIENTS: usize = 16;
const SECONDS: u64 = 12;
const PRACTITIONERS: usize = 3;
const PATIENTS: usize = 8;
const HOURS: u64 = 4;
const BY: &str = "staff:desk";

/// What may refuse a change when everything is as it should be.
const REFUSALS: [&str; 2] = ["idx_no_double_book", "holds_per_patient"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_the_books_are_right() {
    let practice = Practice::open(PRACTITIONERS, PATIENTS, CLIENTS as u32 + 4).await;
    let over = AtomicBool::new(false);
    let clients = async {
        let clients = (0..CLIENTS).map(|client| client_of(&practice, client as u64));
        let done: u64 = join_all(clients).await.into_iter().sum();
        over.store(true, Ordering::Relaxed);
        done
    };
    let (done, looks) = join(clients, watch(&practice, &over)).await;
    println!("{done} changes were made; the books were looked at {looks} times meanwhile");
    assert!(done > 500, "only {done} changes were made");
    assert!(looks > 10);

    at_most_one_has_a_slot(&practice).await;
    every_change_has_its_event_and_its_entry(&practice).await;
    versions_have_no_gap(&practice).await;
    let deadlocks: i64 = sqlx::query_scalar(
        "select deadlocks from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&practice.pool)
    .await
    .unwrap();
    assert_eq!(deadlocks, 0);
}

/// One client, who changes what it finds. Returns how many changes were made.
async fn client_of(practice: &Practice, seed: u64) -> u64 {
    let mut dice = Dice::from_seed(seed);
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < Duration::from_secs(SECONDS) {
        let patient = practice.patients[dice.index(PATIENTS)];
        let wish = Wish {
            practitioner: practice.practitioners[dice.index(PRACTITIONERS)],
            patient,
            hour: i32::try_from(dice.roll(HOURS)).unwrap(),
        };
        let end = match dice.roll(10) {
            0 => practice.book(wish).await,
            1 => practice.book_at_once(wish).await,
            2 | 3 => practice.hold(wish, 1).await,
            4 => {
                practice
                    .expire()
                    .await
                    .unwrap_or_else(|why| panic!("{why}"));
                continue;
            }
            5 if dice.roll(10) == 0 => {
                // They come back: somebody of this id is needed.
                practice
                    .erase(patient)
                    .await
                    .unwrap_or_else(|why| panic!("{why}"));
                come_back(practice, patient).await;
                continue;
            }
            choice => match any_live(practice, &mut dice).await {
                None => continue,
                Some(found) if choice == 5 || choice == 6 => practice.cancel(&found, BY).await,
                Some(found) if found.status == "held" && choice == 7 => {
                    practice.extend(&found, 2, 5, BY).await
                }
                Some(found) if found.status == "held" => practice.confirm(found.id, BY).await,
                Some(found) => practice.reschedule(&found, wish.hour, BY).await,
            },
        };
        match end {
            End::Done(_) => done += 1,
            End::NotApplied => {}
            End::Refused(by) => assert!(REFUSALS.contains(&by.as_str()), "{by}"),
        }
    }
    done
}

async fn come_back(practice: &Practice, patient: Uuid) {
    sqlx::query("update patients set subject = id::text, erased_at = null where id = $1")
        .bind(patient)
        .execute(&practice.pool)
        .await
        .unwrap();
}

async fn any_live(practice: &Practice, dice: &mut Dice) -> Option<Booked> {
    let live: Vec<(Uuid, i32, String)> = sqlx::query_as(
        "select id, version, status from bookings where status in ('held', 'confirmed')",
    )
    .fetch_all(&practice.pool)
    .await
    .unwrap();
    if live.is_empty() {
        return None;
    }
    let (id, version, status) = live[dice.index(live.len())].clone();
    Some(Booked {
        id,
        version,
        status,
    })
}

/// Looks at the books for as long as the storm lasts: what is committed is always the beginning of each
/// stream, so the order of the versions is the order of the commits.
async fn watch(practice: &Practice, over: &AtomicBool) -> u64 {
    let mut looks = 0;
    while !over.load(Ordering::Relaxed) {
        versions_have_no_gap(practice).await;
        at_most_one_has_a_slot(practice).await;
        looks += 1;
    }
    looks
}

/// One statement, so one moment.
async fn versions_have_no_gap(practice: &Practice) {
    let odd: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "select p.id::text, p.version, count(o.id), coalesce(max(o.stream_version), 1)
        from practitioners p
        left join outbox o on o.key = p.id::text
        group by p.id
        -- The first version is the practitioner's own.
        having count(o.id) <> p.version - 1
            or count(distinct o.stream_version) <> count(o.id)
            or coalesce(max(o.stream_version), 1) <> p.version",
    )
    .fetch_all(&practice.pool)
    .await
    .unwrap();
    assert!(odd.is_empty(), "{odd:?}");
}

async fn at_most_one_has_a_slot(practice: &Practice) {
    let double: Vec<(Uuid, i64)> = sqlx::query_as(
        "select practitioner_id, count(*)
        from bookings
        where status in ('held', 'confirmed')
        group by practitioner_id, slot_start
        having count(*) > 1",
    )
    .fetch_all(&practice.pool)
    .await
    .unwrap();
    assert!(double.is_empty(), "{double:?}");
}

async fn every_change_has_its_event_and_its_entry(practice: &Practice) {
    let events: Vec<(String, i64)> =
        sqlx::query_as("select kind, count(*) from outbox group by kind")
            .fetch_all(&practice.pool)
            .await
            .unwrap();
    let changes: Vec<(String, i64)> =
        sqlx::query_as("select change, count(*) from booking_history group by change")
            .fetch_all(&practice.pool)
            .await
            .unwrap();
    println!("{changes:?}");
    let events: BTreeMap<String, i64> = events.into_iter().collect();
    let changes: BTreeMap<String, i64> = changes.into_iter().collect();
    let event = |kind: &str| events.get(kind).copied().unwrap_or_default();
    let change = |name: &str| changes.get(name).copied().unwrap_or_default();
    assert_eq!(event("SlotHeld"), change("held"));
    assert_eq!(
        event("BookingCreated"),
        change("booked") + change("confirmed")
    );
    assert_eq!(event("BookingRescheduled"), change("moved-here"));
    assert_eq!(change("moved-away"), change("moved-here"));
    assert_eq!(event("BookingCancelled"), change("cancelled"));
    assert_eq!(event("HoldExpired"), change("expired") + change("released"));
    for (name, at_least) in [
        ("extended", 1),
        ("expired", 1),
        ("moved-here", 1),
        ("confirmed", 1),
    ] {
        assert!(change(name) >= at_least, "{name} never happened");
    }
    // Each booking's own versions, from the first to the one that it has.
    let odd: Vec<(Uuid,)> = sqlx::query_as(
        "select b.id
        from bookings b
        left join booking_history h on h.booking_id = b.id
        group by b.id
        having count(h.version) <> b.version or max(h.version) <> b.version
            or count(*) filter (where h.from_version is distinct from nullif(h.version - 1, 0)) > 0",
    )
    .fetch_all(&practice.pool)
    .await
    .unwrap();
    assert!(odd.is_empty(), "{odd:?}");
}
