//! Every change of a booking is on record, and stays there.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::practice::{Practice, why};

type Entry = (i32, Option<i32>, String, String, String, String);

#[tokio::test]
async fn every_change_says_who_made_it_and_from_which_version() {
    let practice = Practice::open(1, 1, 2).await;
    let wish = practice.wish(0, 0, 9);
    let patient = format!("patient:{}", wish.patient);
    let held = practice.hold(wish, 60).await.done();
    let held = practice.extend(&held, 300, 1800, &patient).await.done();
    let booked = practice.confirm(held.id, "staff:desk:2").await.done();
    let moved = practice
        .reschedule(&booked, 10, "practitioner:who")
        .await
        .done();
    practice.cancel(&moved, &patient).await.done();

    let who = wish.patient.to_string();
    let first = [
        entry(1, None, "held", "held", "patient", &who),
        entry(2, Some(1), "extended", "held", "patient", &who),
        entry(3, Some(2), "confirmed", "confirmed", "staff", "desk:2"),
        entry(
            4,
            Some(3),
            "moved-away",
            "rescheduled",
            "practitioner",
            "who",
        ),
    ];
    assert_eq!(history(&practice, booked.id).await, first);
    let second = [
        entry(1, None, "moved-here", "confirmed", "practitioner", "who"),
        entry(2, Some(1), "cancelled", "cancelled", "patient", &who),
    ];
    assert_eq!(history(&practice, moved.id).await, second);
    // A heartbeat changes nothing for anybody else.
    assert_eq!(
        practice.announced(wish.practitioner).await,
        [
            "SlotHeld",
            "BookingCreated",
            "BookingRescheduled",
            "BookingCancelled"
        ]
    );
}

#[tokio::test]
async fn what_time_takes_away_is_on_record_as_the_systems() {
    let practice = Practice::open(1, 2, 2).await;
    let swept = practice.hold(practice.wish(0, 0, 9), 60).await.done();
    practice.let_run_out(swept.id).await;
    assert_eq!(practice.expire().await, Ok(1));
    let given_way = practice.hold(practice.wish(0, 0, 9), 60).await.done();
    practice.let_run_out(given_way.id).await;
    practice.book(practice.wish(0, 1, 9)).await.done();
    for hold in [swept.id, given_way.id] {
        let last = history(&practice, hold).await.pop().unwrap();
        assert_eq!(
            last,
            entry(3, Some(2), "expired", "expired", "system", "holds")
        );
    }
}

#[tokio::test]
async fn a_change_by_sql_is_on_record_too_and_under_nobodys_name() {
    let practice = Practice::open(1, 1, 2).await;
    let booked = practice.book(practice.wish(0, 0, 9)).await.done();
    // It forgets the version, and says nothing of who.
    by_sql(
        &practice,
        "update bookings set status = 'cancelled' where id = ",
        booked.id,
    )
    .await;
    by_sql(
        &practice,
        "update bookings set version = 77 where id = ",
        booked.id,
    )
    .await;
    assert_eq!(practice.find(booked.id).await.version, 3);
    by_sql(&practice, "delete from bookings where id = ", booked.id).await;

    let user: String = sqlx::query_scalar("select session_user::text")
        .fetch_one(&practice.pool)
        .await
        .unwrap();
    let told = history(&practice, booked.id).await;
    assert_eq!(
        told[1..],
        [
            entry(2, Some(1), "cancelled", "cancelled", "sql", &user),
            entry(3, Some(2), "changed", "cancelled", "sql", &user),
            entry(4, Some(3), "deleted", "cancelled", "sql", &user),
        ]
    );
}

#[tokio::test]
async fn nobody_is_who_they_are_not_said_to_be() {
    let practice = Practice::open(1, 1, 2).await;
    let wish = practice.wish(0, 0, 9);
    practice
        .insert(wish, None, "wizard:merlin")
        .await
        .refused_by("booking_history_actor_role_check");
}

#[tokio::test]
async fn the_history_can_only_grow() {
    let practice = Practice::open(1, 1, 2).await;
    practice.book(practice.wish(0, 0, 9)).await.done();
    for statement in [
        "update booking_history set actor = 'somebody else'",
        "delete from booking_history",
        "truncate booking_history",
        "truncate bookings",
        "truncate practitioners cascade",
    ] {
        let refused = sqlx::query(statement).execute(&practice.pool).await;
        assert_eq!(
            why(&refused.unwrap_err()),
            "booking_history_append_only",
            "{statement}"
        );
    }
}

fn entry(
    version: i32,
    from: Option<i32>,
    change: &str,
    status: &str,
    role: &str,
    actor: &str,
) -> Entry {
    let [change, status, role, actor] = [change, status, role, actor].map(str::to_owned);
    (version, from, change, status, role, actor)
}

async fn history(practice: &Practice, booking: Uuid) -> Vec<Entry> {
    sqlx::query_as(
        "select version, from_version, change, status, actor_role, actor
        from booking_history
        where booking_id = $1
        order by version",
    )
    .bind(booking)
    .fetch_all(&practice.pool)
    .await
    .unwrap()
}

async fn by_sql(practice: &Practice, change: &str, booking: Uuid) {
    sqlx::query(AssertSqlSafe(format!("{change} '{booking}'")))
        .execute(&practice.pool)
        .await
        .unwrap();
}
