//! Changes that meet. Each ends in one of the answers named here, and none waits for another that waits
//! for it: PostgreSQL's deadlock detector (SQLSTATE 40P01) would show as a refusal.

use futures::future::join;

use crate::practice::{End, Practice};

const ROUNDS: i32 = 40;
const BY: &str = "staff:desk";
const TAKEN: &str = "idx_no_double_book";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_moves_that_cross_both_find_the_slot_taken_and_both_bookings_stand() {
    let practice = Practice::open(1, 2, 8).await;
    let a = practice.book(practice.wish(0, 0, 9)).await.done();
    let b = practice.book(practice.wish(0, 1, 10)).await.done();
    for _ in 0..ROUNDS {
        let (first, second) = join(
            practice.reschedule(&a, 10, BY),
            practice.reschedule(&b, 9, BY),
        )
        .await;
        first.refused_by(TAKEN);
        second.refused_by(TAKEN);
    }
    for booking in [a, b] {
        let found = practice.find(booking.id).await;
        assert_eq!((found.status.as_str(), found.version), ("confirmed", 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_moves_of_one_booking_one_is_made() {
    let practice = Practice::open(1, 1, 8).await;
    let mut booking = practice.book(practice.wish(0, 0, 0)).await.done();
    for round in 1..12 {
        let (first, second) = join(
            practice.reschedule(&booking, 2 * round - 1, BY),
            practice.reschedule(&booking, 2 * round, BY),
        )
        .await;
        booking = match (first, second) {
            (End::Done(moved), End::NotApplied) | (End::NotApplied, End::Done(moved)) => moved,
            other => panic!("{other:?}"),
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancellation_is_made_once_and_what_is_cancelled_is_not_moved() {
    let practice = Practice::open(1, 1, 8).await;
    for _ in 0..ROUNDS {
        let booked = practice.book(practice.wish(0, 0, 9)).await.done();
        let (first, second) =
            join(practice.cancel(&booked, BY), practice.cancel(&booked, BY)).await;
        assert!(first.is_done() != second.is_done(), "{first:?} {second:?}");
        let moved = practice.reschedule(&booked, 10, BY).await;
        assert!(matches!(moved, End::NotApplied), "{moved:?}");
        let seen = practice.find(booked.id).await;
        let moved = practice.reschedule(&seen, 10, BY).await;
        assert!(matches!(moved, End::NotApplied), "{moved:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancellation_and_a_move_at_once_are_one_or_the_other() {
    let practice = Practice::open(1, 1, 8).await;
    for _ in 0..ROUNDS {
        let booked = practice.book(practice.wish(0, 0, 9)).await.done();
        let (cancelled, moved) = join(
            practice.cancel(&booked, BY),
            practice.reschedule(&booked, 10, BY),
        )
        .await;
        match (cancelled, moved) {
            (End::Done(_), End::NotApplied) => {}
            (End::NotApplied, End::Done(moved)) => {
                practice.cancel(&moved, BY).await.done();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_is_confirmed_once_and_not_after_it_was_expired() {
    let practice = Practice::open(1, 2, 8).await;
    for round in 0..ROUNDS {
        let held = practice.hold(practice.wish(0, 0, 9), 60).await.done();
        let (first, second) =
            join(practice.confirm(held.id, BY), practice.confirm(held.id, BY)).await;
        assert!(first.is_done() != second.is_done(), "{first:?} {second:?}");
        let booked = practice.find(held.id).await;
        practice.cancel(&booked, BY).await.done();

        let held = practice.hold(practice.wish(0, 0, 9), 60).await.done();
        practice.let_run_out(held.id).await;
        // The sweep, or somebody who wants the slot.
        let confirmed = if round % 2 == 0 {
            let (confirmed, expired) = join(practice.confirm(held.id, BY), practice.expire()).await;
            assert_eq!(expired, Ok(1));
            confirmed
        } else {
            let other = practice.wish(0, 1, 9);
            let (confirmed, booked) =
                join(practice.confirm(held.id, BY), practice.book(other)).await;
            practice.cancel(&booked.done(), BY).await.done();
            confirmed
        };
        assert!(matches!(confirmed, End::NotApplied), "{confirmed:?}");
        assert_eq!(practice.find(held.id).await.status, "expired");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_erased_while_they_book_or_move_has_no_booking_afterwards() {
    let practice = Practice::open(1, 1, 8).await;
    for round in 0..ROUNDS {
        let patient = practice.register().await;
        let wish = |hour| crate::practice::Wish {
            patient,
            ..practice.wish(0, 0, hour)
        };
        let booked = practice.book(wish(9)).await.done();
        let meets = async {
            match round % 4 {
                0 => practice.reschedule(&booked, 10, BY).await,
                1 => practice.book(wish(11)).await,
                2 => practice.book_at_once(wish(11)).await,
                _ => practice.hold(wish(11), 60).await,
            }
        };
        let (met, erased) = join(meets, practice.erase(patient)).await;
        assert_eq!(erased, Ok(()));
        assert!(matches!(met, End::Done(_) | End::NotApplied), "{met:?}");
        let live: i64 = sqlx::query_scalar(
            "select count(*) from bookings where status in ('held', 'confirmed')",
        )
        .fetch_one(&practice.pool)
        .await
        .unwrap();
        assert_eq!(live, 0, "round {round}: {met:?}");
    }
}
