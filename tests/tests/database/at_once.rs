//! The ordinary booking: one statement decides, books, and keeps the answer; where anything is in doubt
//! it changes nothing.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use praxis_tests::directory::fresh_id;
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

use crate::practice::{BOOK_AT_ONCE, EDITION, Practice, run, why};

/// What the statement is asked.
#[derive(Clone)]
struct Asked {
    practitioner: Uuid,
    subject: String,
    key: String,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
    /// Where today is no earlier than this.
    first_date: NaiveDate,
    edition: &'static str,
    email: Option<&'static str>,
}

struct Answer {
    booking: Option<Value>,
    receipt: Option<Value>,
    patient: Option<Value>,
}

struct Desk(Practice);

impl Desk {
    async fn open() -> Self {
        Self(Practice::open(1, 1, 4).await)
    }

    fn asked(&self, hour: i32) -> Asked {
        let slot = self.0.start(hour);
        Asked {
            practitioner: self.0.practitioners[0],
            subject: self.0.patients[0].to_string(),
            key: fresh_id().to_string(),
            slot,
            now: slot - Duration::days(1),
            first_date: slot.date_naive() - Duration::days(2),
            edition: EDITION,
            email: None,
        }
    }

    async fn ask(&self, asked: &Asked) -> Result<Answer, String> {
        let none: Option<&str> = None;
        let row = sqlx::query(BOOK_AT_ONCE)
            .bind(fresh_id())
            .bind(asked.practitioner)
            .bind(asked.slot.timestamp())
            .bind(&asked.subject)
            .bind(&asked.key)
            .bind("hash")
            .bind(asked.now.timestamp())
            .bind(asked.first_date)
            .bind(asked.edition)
            .bind(none)
            .bind(asked.email)
            .bind(none)
            .bind(none)
            .bind(fresh_id())
            .bind(none)
            .fetch_one(&self.0.pool)
            .await
            .map_err(|error| why(&error))?;
        Ok(Answer {
            booking: row.get("booking"),
            receipt: row.get("receipt"),
            patient: row.get("patient"),
        })
    }

    /// The booking that was made.
    #[track_caller]
    fn made(answer: Result<Answer, String>) -> Value {
        let answer = answer.unwrap_or_else(|by| panic!("refused by {by}"));
        answer.booking.expect("it is booked")
    }

    async fn refuses(&self, what: &str, asked: &Asked) {
        let before = self.0.announced(asked.practitioner).await.len();
        let answer = self
            .ask(asked)
            .await
            .unwrap_or_else(|by| panic!("{what}: {by}"));
        assert_eq!(answer.booking, None, "{what}");
        assert_eq!(
            self.0.announced(asked.practitioner).await.len(),
            before,
            "{what}"
        );
    }

    async fn run(&self, statement: &'static str) {
        run(&self.0.pool, statement).await;
    }
}

#[tokio::test]
async fn it_books_announces_and_keeps_the_answer() {
    let desk = Desk::open().await;
    let asked = desk.asked(9);
    let booking = Desk::made(desk.ask(&asked).await);
    let id: Uuid = booking["id"].as_str().unwrap().parse().unwrap();
    let patient = desk.0.patients[0];
    assert_eq!(
        desk.0.announced(asked.practitioner).await,
        ["BookingCreated"]
    );
    let (change, actor): (String, String) = sqlx::query_as(
        "select change, actor_role || ':' || actor from booking_history where booking_id = $1",
    )
    .bind(id)
    .fetch_one(&desk.0.pool)
    .await
    .unwrap();
    assert_eq!(
        (change.as_str(), actor),
        ("booked", format!("patient:{patient}"))
    );
    let (stream, told): (i64, i64) = sqlx::query_as(
        "select p.version, o.stream_version from practitioners p, outbox o where p.id = $1",
    )
    .bind(asked.practitioner)
    .fetch_one(&desk.0.pool)
    .await
    .unwrap();
    assert_eq!((stream, told), (2, 2));

    // The same again: nothing happens, and what was answered is there.
    desk.refuses("the same key", &asked).await;
    let again = desk.ask(&asked).await.unwrap();
    assert_eq!(again.patient.unwrap()["id"], patient.to_string());
    let date = asked.slot.date_naive();
    assert_eq!(
        again.receipt.unwrap()["response"],
        json!({
            "booking_id": id,
            "practitioner_id": asked.practitioner,
            "patient_id": patient,
            "slot_start": format!("{date}T09:00:00Z"),
            "local_date": date,
            "local_time": "09:00",
            "time_zone": "UTC",
            "status": "confirmed",
            "version": 1,
        })
    );
}

/// What is asked for, made into something that is in doubt.
type Change = fn(&mut Asked);

#[tokio::test]
async fn what_is_in_doubt_is_not_booked() {
    let desk = Desk::open().await;
    let asked = desk.asked(9);
    let with = |change: Change| {
        let mut changed = asked.clone();
        change(&mut changed);
        changed
    };
    let cases: [(&str, Change); 7] = [
        ("it has begun", |asked| asked.now = asked.slot),
        ("too far away", |asked| {
            asked.first_date = asked.slot.date_naive() - Duration::days(62)
        }),
        ("half past", |asked| asked.slot += Duration::minutes(30)),
        ("other rules", |asked| asked.edition = "2027a"),
        ("no such practitioner", |asked| {
            asked.practitioner = fresh_id()
        }),
        ("nobody yet", |asked| asked.subject = "new".to_owned()),
        ("an address to keep", |asked| {
            asked.email = Some("ann@example.org")
        }),
    ];
    for (what, change) in cases {
        desk.refuses(what, &with(change)).await;
    }
    for (what, done, undone) in [
        (
            "left",
            "update practitioners set active = false",
            "update practitioners set active = true",
        ),
        (
            "another hour",
            "update practitioners set week = array_fill(16777215 - (1 << 9), array[7])",
            "update practitioners set week = array_fill(16777215, array[7])",
        ),
        (
            "a closed day",
            "insert into schedule_exceptions select id, current_date + n, 0
            from practitioners, generate_series(0, 30) n",
            "delete from schedule_exceptions",
        ),
        (
            "a lead time of two days",
            "update practitioners set lead_minutes = 2880",
            "update practitioners set lead_minutes = 0",
        ),
        (
            "a lead time to the second",
            "update practitioners set lead_minutes = 1440",
            "update practitioners set lead_minutes = 1439",
        ),
        (
            "a horizon of two days",
            "update practitioners set lead_minutes = 0, horizon_days = 2",
            "update practitioners set horizon_days = 3",
        ),
        (
            "leave",
            "update practitioners
            set leave = datemultirange(daterange(current_date, current_date + 30))",
            "update practitioners set leave = '{}'",
        ),
        (
            "a holiday",
            "update practitioners
            set holidays = array(select current_date + n from generate_series(0, 30) n)",
            "update practitioners set holidays = '{}'",
        ),
        (
            "another week",
            "insert into schedule_periods select id, current_date, 'infinity', array_fill(0, array[7])
            from practitioners",
            "update schedule_periods set valid_until = valid_from",
        ),
        (
            "no rules",
            "update zone_offsets set time_zone = 'Etc/UTC'",
            "update zone_offsets set time_zone = 'UTC'",
        ),
        (
            "erased",
            "update patients set erased_at = now()",
            "update patients set erased_at = null",
        ),
    ] {
        desk.run(done).await;
        desk.refuses(what, &asked).await;
        desk.run(undone).await;
    }
    Desk::made(desk.ask(&asked).await);
    desk.refuses("taken", &desk.asked(9)).await;
    // Who gives way to whom is for the other statement.
    let held = desk.0.hold(desk.0.wish(0, 0, 10), 60).await.done();
    desk.refuses("held", &desk.asked(10)).await;
    desk.0.let_run_out(held.id).await;
    desk.refuses("held until now", &desk.asked(10)).await;
}

#[tokio::test]
async fn an_exception_opens_a_holiday_and_a_week_that_is_valid_opens_what_others_close() {
    let desk = Desk::open().await;
    desk.run("update practitioners set week = array_fill(0, array[7])")
        .await;
    desk.refuses("a closed week", &desk.asked(9)).await;
    desk.run(
        "insert into schedule_periods
        select id, current_date, current_date + 30, array_fill(16777215, array[7])
        from practitioners",
    )
    .await;
    Desk::made(desk.ask(&desk.asked(9)).await);
    desk.run(
        "update practitioners
        set holidays = array(select current_date + n from generate_series(0, 30) n)",
    )
    .await;
    desk.refuses("a holiday", &desk.asked(10)).await;
    desk.run(
        "insert into schedule_exceptions select id, current_date + n, 1 << 10
        from practitioners, generate_series(0, 30) n",
    )
    .await;
    Desk::made(desk.ask(&desk.asked(10)).await);
    desk.refuses("not an hour of the exception", &desk.asked(11))
        .await;
    desk.run(
        "update practitioners
        set leave = datemultirange(daterange(current_date, current_date + 30))",
    )
    .await;
    desk.refuses("leave", &desk.asked(12)).await;
}

#[tokio::test]
async fn the_day_of_the_week_and_the_local_hour_count() {
    let desk = Desk::open().await;
    desk.run(
        "insert into zone_offsets values
            ('Europe/Berlin', '2026-01-01Z', '2026-10-25T01:00Z', 7200, '2026-01-01Z', '2026x'),
            ('Europe/Berlin', '2026-10-25T01:00Z', '2028-01-01Z', 3600, '2026-10-25T02:00Z', '2026x')",
    )
    .await;
    let practitioner = desk.0.employ("Europe/Berlin").await;
    // On Sundays at two, on Mondays at nine.
    sqlx::query("update practitioners set week = '{512, 0, 0, 0, 0, 0, 4}' where id = $1")
        .bind(practitioner)
        .execute(&desk.0.pool)
        .await
        .unwrap();
    let at = |slot: &str| {
        let slot: DateTime<Utc> = slot.parse().unwrap();
        Asked {
            practitioner,
            slot,
            now: slot - Duration::days(1),
            first_date: slot.date_naive() - Duration::days(2),
            ..desk.asked(0)
        }
    };
    desk.refuses("the second two o'clock", &at("2026-10-25T01:00:00Z"))
        .await;
    desk.refuses("nine in UTC", &at("2026-11-02T09:00:00Z"))
        .await;
    desk.refuses("a Tuesday", &at("2026-11-03T08:00:00Z")).await;
    for (slot, date, hour) in [
        ("2026-10-25T00:00:00Z", "2026-10-25", 2),
        ("2026-11-02T08:00:00Z", "2026-11-02", 9),
    ] {
        let booking = Desk::made(desk.ask(&at(slot)).await);
        assert_eq!(booking["local_date"], date);
        assert_eq!(booking["local_hour"], hour);
    }
}

#[tokio::test]
async fn of_many_at_once_one_books_and_no_version_is_lost() {
    let desk = Desk::open().await;
    let asked: Vec<Asked> = (0..16).map(|n| desk.asked(n / 4)).collect();
    let answers = futures::future::join_all(asked.iter().map(|asked| desk.ask(asked))).await;
    let mut booked = 0;
    for answer in answers {
        match answer {
            Ok(answer) => booked += i32::from(answer.booking.is_some()),
            Err(by) => assert_eq!(by, "idx_no_double_book"),
        }
    }
    assert_eq!(booked, 4);
    let versions: Vec<i64> =
        sqlx::query_scalar("select stream_version from outbox order by stream_version")
            .fetch_all(&desk.0.pool)
            .await
            .unwrap();
    assert_eq!(versions, [2, 3, 4, 5]);
}
