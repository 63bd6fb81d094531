//! A practice at its simplest: practitioners in UTC, patients, and the statements as functions.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, Utc};
use praxis_tests::database;
use praxis_tests::directory::{fresh_id, today};
use serde_json::{Value, json};
use sqlx::postgres::{PgArguments, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres, Row as _};
use uuid::Uuid;

use crate::erasure;

/// No caller says where a trace began.
pub const NO_TRACE: Option<&str> = None;

pub const BOOK_AT_ONCE: &str = include_str!("../../../components/booking/src/sql/book_at_once.sql");
pub const BOOK: &str = include_str!("../../../components/booking/src/sql/book.sql");
const CONFIRM: &str = include_str!("../../../components/booking/src/sql/confirm.sql");
const CANCEL: &str = include_str!("../../../components/booking/src/sql/cancel.sql");
pub const RESCHEDULE: &str = include_str!("../../../components/booking/src/sql/reschedule.sql");
const EXTEND_HOLD: &str = include_str!("../../../components/booking/src/sql/extend_hold.sql");
const EXPIRE_HOLDS: &str = include_str!("../../../components/booking/src/sql/expire_holds.sql");

pub const TENANT: &str = "clinic";
/// Of the zones' rules.
pub const EDITION: &str = "2026x";
pub const HOLDS_MAX: i32 = 3;
pub const PROFILE_VERSION: i64 = 1;
/// Days from now: nothing begins while a test runs.
const DAYS_AHEAD: u64 = 10;

pub struct Practice {
    pub pool: PgPool,
    pub practitioners: Vec<Uuid>,
    pub patients: Vec<Uuid>,
    date: NaiveDate,
}

/// A booking as a statement returned it.
#[derive(Debug, Clone)]
pub struct Booked {
    pub id: Uuid,
    pub version: i32,
    pub status: String,
}

/// How a statement ended.
#[derive(Debug, Clone)]
pub enum End {
    Done(Booked),
    /// No row: it was not as expected any more.
    NotApplied,
    /// The constraint's name, or the SQLSTATE.
    Refused(String),
}

impl End {
    #[track_caller]
    pub fn done(self) -> Booked {
        match self {
            Self::Done(booked) => booked,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn refused_by(self, constraint: &str) {
        match self {
            Self::Refused(by) if by == constraint => {}
            other => panic!("{other:?} instead of {constraint}"),
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// What is to be booked, for whom.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub practitioner: Uuid,
    pub patient: Uuid,
    pub hour: i32,
}

impl Practice {
    pub async fn open(practitioners: usize, patients: usize, connections_max: u32) -> Self {
        let pool = database::migrated(connections_max).await;
        run(
            &pool,
            "insert into tenants (id, name) values ('clinic', 'Clinic')",
        )
        .await;
        run(
            &pool,
            "insert into zone_offsets (time_zone, begins, ends, utc_offset_seconds, first_from, edition)
            values ('UTC', '2000-01-01Z', '2100-01-01Z', 0, '2000-01-01Z', '2026x')",
        )
        .await;
        let nobody = Self {
            pool,
            practitioners: Vec::new(),
            patients: Vec::new(),
            date: today("UTC") + Days::new(DAYS_AHEAD),
        };
        nobody.with_others(practitioners, patients).await
    }

    /// The same database, with others besides who is there already.
    pub async fn with_others(&self, practitioners: usize, patients: usize) -> Self {
        let mut practice = Self {
            pool: self.pool.clone(),
            practitioners: Vec::new(),
            patients: Vec::new(),
            date: self.date,
        };
        for _ in 0..practitioners {
            let id = practice.employ("UTC").await;
            practice.practitioners.push(id);
        }
        for _ in 0..patients {
            let id = practice.register().await;
            practice.patients.push(id);
        }
        practice
    }

    /// The same practice over one connection, and its process in PostgreSQL.
    pub async fn with_one_connection(&self) -> (Self, i32) {
        let options = self.pool.connect_options();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_with((*options).clone())
            .await
            .unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&pool)
            .await
            .unwrap();
        let own = Self {
            pool,
            practitioners: self.practitioners.clone(),
            patients: self.patients.clone(),
            date: self.date,
        };
        (own, pid)
    }

    pub async fn employ(&self, time_zone: &str) -> Uuid {
        let id = fresh_id();
        sqlx::query(
            "insert into practitioners (id, tenant_id, name, specialty, country, lat, lon, time_zone,
                week, version, profile_version)
            values ($1, $2, 'Dr. Who', 'general-practice', 'GB', 51.5, 0, $3,
                array_fill(16777215, array[7]), 1, $4)",
        )
        .bind(id)
        .bind(TENANT)
        .bind(time_zone)
        .bind(PROFILE_VERSION)
        .execute(&self.pool)
        .await
        .unwrap();
        id
    }

    pub async fn register(&self) -> Uuid {
        let id = fresh_id();
        sqlx::query("insert into patients (id, subject) values ($1, $1::text)")
            .bind(id)
            .execute(&self.pool)
            .await
            .unwrap();
        id
    }

    pub fn wish(&self, practitioner: usize, patient: usize, hour: i32) -> Wish {
        Wish {
            practitioner: self.practitioners[practitioner],
            patient: self.patients[patient],
            hour,
        }
    }

    pub fn start(&self, hour: i32) -> DateTime<Utc> {
        let hour = u32::try_from(hour).unwrap();
        let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        self.date.and_time(time).and_utc()
    }

    pub async fn book(&self, wish: Wish) -> End {
        self.insert(wish, None, &format!("patient:{}", wish.patient))
            .await
    }

    /// The ordinary booking. Where anything is in doubt it is not applied.
    pub async fn book_at_once(&self, wish: Wish) -> End {
        let none: Option<&str> = None;
        let start = self.start(wish.hour);
        let query = sqlx::query(BOOK_AT_ONCE)
            .bind(fresh_id())
            .bind(wish.practitioner)
            .bind(start.timestamp())
            .bind(wish.patient.to_string())
            .bind(fresh_id().to_string())
            .bind("hash")
            .bind((start - Duration::days(1)).timestamp())
            .bind(self.date)
            .bind(EDITION)
            .bind(none)
            .bind(none)
            .bind(none)
            .bind(none)
            .bind(fresh_id())
            .bind(none);
        self.end(query).await
    }

    pub async fn hold(&self, wish: Wish, seconds: i32) -> End {
        self.insert(wish, Some(seconds), &format!("patient:{}", wish.patient))
            .await
    }

    pub async fn insert(&self, wish: Wish, hold_seconds: Option<i32>, by: &str) -> End {
        let (status, kind) = match hold_seconds {
            Some(_) => ("held", "SlotHeld"),
            None => ("confirmed", "BookingCreated"),
        };
        // A hold has no receipt.
        let receipt = hold_seconds.is_none().then(|| fresh_id().to_string());
        let query = sqlx::query(BOOK)
            .bind(fresh_id())
            .bind(wish.practitioner)
            .bind(TENANT)
            .bind(wish.patient)
            .bind(self.start(wish.hour).timestamp())
            .bind(self.date)
            .bind(wish.hour)
            .bind("UTC")
            .bind(status)
            .bind(hold_seconds)
            .bind(fresh_id())
            .bind(kind);
        let query = with_receipt(query, wish.patient, receipt)
            .bind(PROFILE_VERSION)
            .bind(HOLDS_MAX)
            .bind(by)
            .bind(NO_TRACE);
        self.end(query).await
    }

    pub async fn confirm(&self, hold: Uuid, by: &str) -> End {
        let query = sqlx::query(CONFIRM).bind(hold);
        let query = with_receipt(query, hold, Some(fresh_id().to_string()))
            .bind(PROFILE_VERSION)
            .bind(by)
            .bind(NO_TRACE);
        self.end(query).await
    }

    pub async fn cancel(&self, booking: &Booked, by: &str) -> End {
        let kind = if booking.status == "held" {
            "HoldExpired"
        } else {
            "BookingCancelled"
        };
        let query = sqlx::query(CANCEL)
            .bind(booking.id)
            .bind(booking.version)
            .bind(kind)
            .bind(by)
            .bind(NO_TRACE);
        self.end(query).await
    }

    pub async fn reschedule(&self, booking: &Booked, hour: i32, by: &str) -> End {
        let query = sqlx::query(RESCHEDULE)
            .bind(booking.id)
            .bind(booking.version)
            .bind(fresh_id())
            .bind(self.start(hour).timestamp())
            .bind(self.date)
            .bind(hour)
            .bind("UTC");
        let query = with_receipt(query, booking.id, Some(fresh_id().to_string()))
            .bind(PROFILE_VERSION)
            .bind(by)
            .bind(NO_TRACE);
        self.end(query).await
    }

    pub async fn extend(&self, hold: &Booked, seconds: i32, seconds_max: i32, by: &str) -> End {
        let query = sqlx::query(EXTEND_HOLD)
            .bind(hold.id)
            .bind(hold.version)
            .bind(seconds)
            .bind(seconds_max)
            .bind(by);
        self.end(query).await
    }

    /// How many holds were expired.
    pub async fn expire(&self) -> Result<i64, String> {
        let row = sqlx::query(EXPIRE_HOLDS)
            .bind(100)
            .bind(NO_TRACE)
            .fetch_one(&self.pool)
            .await;
        row.map(|row| row.get("expired"))
            .map_err(|error| why(&error))
    }

    pub async fn erase(&self, patient: Uuid) -> Result<(), String> {
        let mut change = self.pool.begin().await.unwrap();
        for statement in erasure::statements(&patient.to_string()) {
            let done = statement.execute(&mut *change).await;
            done.map_err(|error| why(&error))?;
        }
        change.commit().await.map_err(|error| why(&error))
    }

    /// Lets a hold run out.
    pub async fn let_run_out(&self, hold: Uuid) {
        sqlx::query(
            "update bookings set hold_expires_at = now() - interval '1 second', changed_by = 'system:clock'
            where id = $1",
        )
        .bind(hold)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub async fn find(&self, booking: Uuid) -> Booked {
        let (version, status) =
            sqlx::query_as("select version, status from bookings where id = $1")
                .bind(booking)
                .fetch_one(&self.pool)
                .await
                .unwrap();
        Booked {
            id: booking,
            version,
            status,
        }
    }

    /// The kinds of what was announced of a practitioner's bookings, in the order of the stream.
    pub async fn announced(&self, practitioner: Uuid) -> Vec<String> {
        sqlx::query_scalar("select kind from outbox where key = $1::text order by stream_version")
            .bind(practitioner.to_string())
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub async fn end(&self, query: Query<'_, Postgres, PgArguments>) -> End {
        match query.fetch_optional(&self.pool).await {
            Ok(Some(row)) => match row.get::<Option<Value>, _>("booking") {
                Some(booking) => End::Done(Booked {
                    id: booking["id"].as_str().unwrap().parse().unwrap(),
                    version: i32::try_from(booking["version"].as_i64().unwrap()).unwrap(),
                    status: booking["status"].as_str().unwrap().to_owned(),
                }),
                // `book_at_once` answers all the same.
                None => End::NotApplied,
            },
            Ok(None) => End::NotApplied,
            Err(error) => End::Refused(why(&error)),
        }
    }
}

pub fn with_receipt(
    query: Query<'_, Postgres, PgArguments>,
    subject: Uuid,
    key: Option<String>,
) -> Query<'_, Postgres, PgArguments> {
    let answer = key.is_some().then(|| json!({ "status": "as it was" }));
    let hash = key.is_some().then_some("hash");
    let subject = key.is_some().then(|| subject.to_string());
    query.bind(subject).bind(key).bind(hash).bind(answer)
}

/// The name of the constraint that refused, or the SQLSTATE.
pub fn why(error: &sqlx::Error) -> String {
    let error = error
        .as_database_error()
        .unwrap_or_else(|| panic!("{error}"));
    let code = error.code().unwrap_or_default();
    error.constraint().unwrap_or(&code).to_owned()
}

pub async fn run(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap();
}
