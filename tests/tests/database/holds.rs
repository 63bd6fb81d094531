//! A hold has one holder, for as long as it lasts.

use crate::practice::{End, Practice};

#[tokio::test]
async fn a_hold_is_extended_up_to_the_limit_and_never_shortened() {
    let practice = Practice::open(1, 1, 2).await;
    let held = practice.hold(practice.wish(0, 0, 9), 60).await.done();
    let expiry = async |id| -> i32 {
        sqlx::query_scalar(
            "select extract(epoch from hold_expires_at - date_trunc('second', created_at))::int
            from bookings
            where id = $1",
        )
        .bind(id)
        .fetch_one(&practice.pool)
        .await
        .unwrap()
    };
    let held = practice.extend(&held, 600, 1800, "staff:desk").await.done();
    assert!((600..610).contains(&expiry(held.id).await));
    let held = practice
        .extend(&held, 6000, 1800, "staff:desk")
        .await
        .done();
    assert_eq!(expiry(held.id).await, 1800);
    let held = practice.extend(&held, 60, 1800, "staff:desk").await.done();
    assert_eq!((expiry(held.id).await, held.version), (1800, 4));
}

#[tokio::test]
async fn what_has_run_out_is_neither_extended_nor_confirmed() {
    let practice = Practice::open(1, 1, 2).await;
    let held = practice.hold(practice.wish(0, 0, 9), 60).await.done();
    practice.let_run_out(held.id).await;
    let held = practice.find(held.id).await;
    let extended = practice.extend(&held, 300, 1800, "staff:desk").await;
    assert!(matches!(extended, End::NotApplied), "{extended:?}");
    let confirmed = practice.confirm(held.id, "staff:desk").await;
    assert!(matches!(confirmed, End::NotApplied), "{confirmed:?}");
}

#[tokio::test]
async fn a_hold_that_has_run_out_gives_way_without_the_sweep_and_is_announced() {
    let practice = Practice::open(1, 3, 2).await;
    let wish = practice.wish(0, 0, 9);
    let held = practice.hold(wish, 60).await.done();
    let other = practice.wish(0, 1, 9);
    practice.book(other).await.refused_by("idx_no_double_book");
    practice
        .hold(other, 60)
        .await
        .refused_by("idx_no_double_book");
    practice.let_run_out(held.id).await;
    // By another hold, and that one by a booking that is moved.
    let second = practice.hold(other, 60).await.done();
    assert_eq!(practice.find(held.id).await.status, "expired");
    practice.let_run_out(second.id).await;
    let elsewhere = practice.book(practice.wish(0, 2, 10)).await.done();
    practice
        .reschedule(&elsewhere, 9, "staff:desk")
        .await
        .done();
    assert_eq!(practice.find(second.id).await.status, "expired");
    assert_eq!(practice.expire().await, Ok(0));
    assert_eq!(
        practice.announced(wish.practitioner).await,
        [
            "SlotHeld",
            "HoldExpired",
            "SlotHeld",
            "BookingCreated",
            "HoldExpired",
            "BookingRescheduled"
        ]
    );
}
