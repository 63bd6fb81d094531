//! A slot that came free is offered to the first who waits, by many hosts at once.

use futures::future::{join, join_all};
use praxis_tests::directory::fresh_id;
use uuid::Uuid;

use crate::practice::{End, NO_TRACE, Practice};

const ADD: &str = include_str!("../../../components/booking/src/waitlist/sql/add.sql");
const OFFER: &str = include_str!("../../../components/booking/src/waitlist/sql/offer.sql");
const RELEASE: &str = include_str!("../../../components/booking/src/waitlist/sql/release.sql");
const MATCHING: &str = include_str!("../../../components/booking/src/waitlist/sql/matching.sql");

const HOSTS: usize = 3;
const FREED: usize = 4;
const WAITING: usize = 6;
const ROUNDS: usize = 5;
const OFFER_SECONDS: i32 = 900;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_hosts_each_slot_goes_to_one_and_the_first_come_first() {
    let practice = Practice::open(1, WAITING, 16).await;
    for round in 0..ROUNDS {
        everybody_waits(&practice).await;
        assert_eq!(all_offer(&practice, round).await, FREED);
        let expected = [["offered"; FREED].as_slice(), &["waiting"; WAITING - FREED]].concat();
        assert_eq!(statuses(&practice).await, expected);
        end_round(&practice).await;
    }
    let kinds = practice.announced(practice.practitioners[0]).await;
    assert_eq!(kinds, vec!["HoldOffered"; ROUNDS * FREED]);
    no_gap_and_no_deadlock(&practice).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_erased_meanwhile_is_passed_over_and_holds_nothing() {
    let practice = Practice::open(1, WAITING, 16).await;
    for round in 0..ROUNDS {
        everybody_waits(&practice).await;
        let erased = practice.patients[round];
        let (_, erasure) = join(all_offer(&practice, round), practice.erase(erased)).await;
        erasure.unwrap();
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from waitlist where patient_id = $1)
                + (select count(*) from bookings where patient_id = $1 and status = 'held')",
        )
        .bind(erased)
        .fetch_one(&practice.pool)
        .await
        .unwrap();
        assert_eq!(left, 0);
        end_round(&practice).await;
    }
    no_gap_and_no_deadlock(&practice).await;
}

#[tokio::test]
async fn a_slot_goes_from_one_to_the_next_and_never_back() {
    let practice = Practice::open(1, 3, 4).await;
    everybody_waits(&practice).await;
    for patient in 0..3 {
        let hold = offer(&practice, 9).await.done();
        let holder: Uuid = sqlx::query_scalar("select patient_id from bookings where id = $1")
            .bind(hold.id)
            .fetch_one(&practice.pool)
            .await
            .unwrap();
        assert_eq!(holder, practice.patients[patient]);
        // While it is held, it is nobody else's, and the holder waits for nothing more.
        assert!(!release(&practice, fresh_id(), 9).await);
        practice.let_run_out(hold.id).await;
        assert_eq!(practice.expire().await, Ok(1));
        assert_eq!(release(&practice, hold.id, 9).await, patient < 2);
        assert_eq!(statuses(&practice).await, ["waiting"; 3]);
    }
    let end = offer(&practice, 9).await;
    assert!(matches!(end, End::NotApplied), "{end:?}");
    // Another slot is another matter.
    assert!(offer(&practice, 10).await.is_done());
    assert_eq!(statuses(&practice).await, ["offered", "waiting", "waiting"]);
}

#[tokio::test]
async fn a_slot_is_not_offered_while_somebody_has_it_and_the_history_names_the_waitlist() {
    let practice = Practice::open(1, 2, 4).await;
    everybody_waits(&practice).await;
    let wish = practice.wish(0, 1, 9);
    let booked = practice.book(wish).await.done();
    let end = offer(&practice, 9).await;
    assert!(matches!(end, End::NotApplied), "{end:?}");
    practice.cancel(&booked, "staff:desk").await.done();
    let hold = offer(&practice, 9).await.done();
    let actor: String = sqlx::query_scalar(
        "select actor_role || ':' || actor from booking_history where booking_id = $1",
    )
    .bind(hold.id)
    .fetch_one(&practice.pool)
    .await
    .unwrap();
    assert_eq!(actor, "system:waitlist");
    practice.confirm(hold.id, "staff:desk").await.done();
}

/// In the order of the patients; who was erased waits for nothing.
async fn everybody_waits(practice: &Practice) {
    for patient in &practice.patients {
        sqlx::query(ADD)
            .bind(fresh_id())
            .bind(patient)
            .bind(practice.practitioners[0])
            .bind(None::<String>)
            .bind(None::<f64>)
            .bind(None::<f64>)
            .bind(None::<f64>)
            .bind(None::<i64>)
            .bind(practice.start(23).timestamp())
            .bind(1)
            .fetch_optional(&practice.pool)
            .await
            .unwrap();
    }
}

/// Each host offers each slot of the round. How many offers were made.
async fn all_offer(practice: &Practice, round: usize) -> usize {
    let hours = (0..FREED).map(|slot| i32::try_from(round * FREED + slot).unwrap());
    let offers = (0..HOSTS).flat_map(|_| hours.clone().map(|hour| offer(practice, hour)));
    let mut made = 0;
    for end in join_all(offers).await {
        match end {
            End::Done(_) => made += 1,
            End::NotApplied => {}
            refused @ End::Refused(_) => refused.refused_by("idx_no_double_book"),
        }
    }
    made
}

async fn offer(practice: &Practice, hour: i32) -> End {
    let statement = OFFER.replace("{matching}", MATCHING);
    let start = practice.start(hour);
    let query = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(fresh_id())
        .bind(practice.practitioners[0])
        .bind(start.timestamp())
        .bind(start.date_naive())
        .bind(hour)
        .bind("UTC")
        .bind(OFFER_SECONDS)
        .bind(fresh_id())
        .bind(1_i64)
        .bind(NO_TRACE);
    practice.end(query).await
}

/// Whether anybody waits for the slot.
async fn release(practice: &Practice, booking: Uuid, hour: i32) -> bool {
    let statement = RELEASE.replace("{matching}", MATCHING);
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
        .bind(booking)
        .bind(practice.practitioners[0])
        .bind(practice.start(hour).timestamp())
        .fetch_one(&practice.pool)
        .await
        .unwrap()
}

/// By time of entry.
async fn statuses(practice: &Practice) -> Vec<String> {
    sqlx::query_scalar("select status from waitlist order by created_at, id")
        .fetch_all(&practice.pool)
        .await
        .unwrap()
}

async fn end_round(practice: &Practice) {
    sqlx::query("delete from waitlist")
        .execute(&practice.pool)
        .await
        .unwrap();
}

async fn no_gap_and_no_deadlock(practice: &Practice) {
    let (gapless, deadlocks): (bool, i64) = sqlx::query_as(
        "select
            count(*) = max(stream_version) - 1 and count(distinct stream_version) = count(*)
                and max(stream_version) = (select max(version) from practitioners),
            (select deadlocks from pg_stat_database where datname = current_database())
        from outbox",
    )
    .fetch_one(&practice.pool)
    .await
    .unwrap();
    assert!(gapless);
    assert_eq!(deadlocks, 0);
}
