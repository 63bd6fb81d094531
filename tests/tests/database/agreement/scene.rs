//! Random practitioners, and random states of the database around one wish.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use praxis_domain::mask::Mask;
use praxis_domain::schedule::{DAYS_PER_WEEK, Schedule};
use praxis_domain::slot::Slot;
use praxis_domain::zone::{self, Stretch, Zone};
use praxis_tests::directory::{fresh_id, now};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::dice::Dice;

pub const TENANT: &str = "clinic";
pub const PROFILE_VERSION: i64 = 1;
const PRACTITIONERS: usize = 24;
/// Ahead, behind, by half and quarter hours, with clocks that are set by an hour, by half of one, or never.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HORIZON_DAYS: u64 = 62;
const QUARTER_SECONDS: i64 = 900;

/// Who may be booked.
pub struct Directory {
    pub practitioners: Vec<Practitioner>,
    /// The year around which the zones' rules are known.
    today: Timestamp,
}

pub struct Practitioner {
    pub id: Uuid,
    pub active: bool,
    pub schedule: Schedule,
}

/// Somebody wants something.
#[derive(Debug)]
pub struct Case {
    pub practitioner: usize,
    pub start: Timestamp,
    pub now: Timestamp,
    pub visitor: Visitor,
    pub occupant: Occupant,
    pub id: Uuid,
    pub calendar_uid: Uuid,
    pub patient: Uuid,
    pub key: Uuid,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    Known,
    /// They asked with this key before.
    Answered,
    /// Their token says what their record lacks.
    WithNews,
    /// No record of them.
    Stranger,
    Erased,
}

/// Who has the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    Nobody,
    Booked,
    Held,
    /// A hold that has run out, and is not marked.
    RunOut,
    Cancelled,
}

impl Visitor {
    pub fn is_known(self) -> bool {
        match self {
            Self::Known | Self::Answered | Self::WithNews => true,
            Self::Stranger | Self::Erased => false,
        }
    }
}

impl Case {
    pub fn subject(&self) -> String {
        self.patient.to_string()
    }

    /// Makes the state, in the transaction that is open.
    pub async fn set(&self, connection: &mut PgConnection, directory: &Directory) {
        if self.visitor != Visitor::Stranger {
            let is_erased = self.visitor == Visitor::Erased;
            sqlx::query(
                "insert into patients (id, subject, name, erased_at)
                values ($1, $2, case when $3 then null else 'Ann' end, case when $3 then now() end)",
            )
            .bind(self.patient)
            .bind((!is_erased).then(|| self.subject()))
            .bind(is_erased)
            .execute(&mut *connection)
            .await
            .unwrap();
        }
        if self.visitor == Visitor::Answered {
            sqlx::query(
                "insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
                values ($1, $2, 'hash', gen_random_uuid(), '{}')",
            )
            .bind(self.subject())
            .bind(self.key.to_string())
            .execute(&mut *connection)
            .await
            .unwrap();
        }
        self.occupy(connection, directory).await;
    }

    async fn occupy(&self, connection: &mut PgConnection, directory: &Directory) {
        let (status, hold_seconds) = match self.occupant {
            Occupant::Nobody => return,
            Occupant::Booked => ("confirmed", None),
            Occupant::Held => ("held", Some(600)),
            Occupant::RunOut => ("held", Some(-1)),
            Occupant::Cancelled => ("cancelled", None),
        };
        let practitioner = &directory.practitioners[self.practitioner];
        let zone = &practitioner.schedule.zone;
        // Nobody can have what is no slot.
        let Ok(slot) = Slot::parse(self.start, zone) else {
            return;
        };
        let other = fresh_id();
        sqlx::query("insert into patients (id) values ($1)")
            .bind(other)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query(
            "insert into bookings (id, practitioner_id, tenant_id, patient_id, slot_start, local_date,
                local_hour, time_zone, status, hold_expires_at, calendar_uid)
            values (gen_random_uuid(), $1, $2, $3, to_timestamp($4::bigint), $5, $6, $7, $8,
                now() + make_interval(secs => $9), gen_random_uuid())",
        )
        .bind(practitioner.id)
        .bind(TENANT)
        .bind(other)
        .bind(self.start.as_second())
        .bind(date(slot.date()))
        .bind(i16::from(slot.hour()))
        .bind(zone.name())
        .bind(status)
        .bind(hold_seconds.map(f64::from))
        .execute(connection)
        .await
        .unwrap();
    }
}

impl Directory {
    pub async fn found(connection: &mut PgConnection, dice: &mut Dice) -> Self {
        sqlx::query("insert into tenants (id, name) values ('clinic', 'Clinic')")
            .execute(&mut *connection)
            .await
            .unwrap();
        let today = now();
        let mut directory = Self {
            practitioners: Vec::new(),
            today,
        };
        for name in ZONES {
            let zone = Zone::parse(name).unwrap();
            for stretch in zone.stretches_around(today) {
                teach(connection, &zone, &stretch).await;
            }
        }
        for number in 0..PRACTITIONERS {
            let zone = Zone::parse(ZONES[number % ZONES.len()]).unwrap();
            let practitioner = directory.random_practitioner(zone, dice);
            employ(connection, &practitioner).await;
            directory.practitioners.push(practitioner);
        }
        directory
    }

    fn random_practitioner(&self, zone: Zone, dice: &mut Dice) -> Practitioner {
        let mut exceptions = BTreeMap::new();
        for _ in 0..60 {
            let days = i64::try_from(dice.roll(700)).unwrap() - 350;
            let date = zone.date(self.today).saturating_add(days.days());
            exceptions.insert(date, random_mask(dice));
        }
        Practitioner {
            id: fresh_id(),
            active: !dice.once_in(6),
            schedule: Schedule {
                week: [(); DAYS_PER_WEEK].map(|()| random_mask(dice)),
                exceptions,
                zone,
            },
        }
    }

    pub fn case(&self, dice: &mut Dice) -> Case {
        let practitioner = dice.index(self.practitioners.len());
        let zone = &self.practitioners[practitioner].schedule.zone;
        let start = self.random_start(zone, dice);
        let now = random_now(start, dice);
        let visitor = match dice.roll(12) {
            0 => Visitor::Answered,
            1 => Visitor::WithNews,
            2 => Visitor::Stranger,
            3 => Visitor::Erased,
            _ => Visitor::Known,
        };
        let occupant = match dice.roll(12) {
            0 => Occupant::Booked,
            1 => Occupant::Held,
            2 => Occupant::RunOut,
            3 => Occupant::Cancelled,
            _ => Occupant::Nobody,
        };
        Case {
            practitioner,
            start,
            now,
            visitor,
            occupant,
            id: fresh_id(),
            calendar_uid: fresh_id(),
            patient: fresh_id(),
            key: fresh_id(),
        }
    }

    /// On a quarter of an hour, mostly on a full local one; a third of them where clocks are set.
    fn random_start(&self, zone: &Zone, dice: &mut Dice) -> Timestamp {
        let stretches = zone.stretches_around(self.today);
        let changes: Vec<Timestamp> = stretches.iter().skip(1).map(|next| next.begins).collect();
        let around = match changes.is_empty() || !dice.once_in(3) {
            true => {
                let hours = i64::try_from(dice.roll(24 * 600)).unwrap() - 24 * 300;
                self.today + SignedDuration::from_hours(hours)
            }
            false => dice.any(&changes),
        };
        let quarters = i64::try_from(dice.roll(25)).unwrap() - 12;
        let quarter = around.as_second().div_euclid(QUARTER_SECONDS) + quarters;
        let start = Timestamp::from_second(quarter * QUARTER_SECONDS).unwrap();
        if dice.once_in(6) {
            return start;
        }
        // The full local hour that it lies in; its second occurrence, where there is one, stays.
        let minutes = i64::from(zone.local(start).minute());
        start - SignedDuration::from_mins(minutes)
    }
}

/// Somewhere before the start, often where it matters.
fn random_now(start: Timestamp, dice: &mut Dice) -> Timestamp {
    let ahead = match dice.roll(8) {
        0 => SignedDuration::from_secs(i64::try_from(dice.roll(3)).unwrap() - 1),
        1 => SignedDuration::from_hours(-1),
        2 | 3 => {
            let hours = i64::try_from(dice.roll(24 * 4)).unwrap();
            DAY * 60 + SignedDuration::from_hours(hours)
        }
        _ => SignedDuration::from_hours(i64::try_from(dice.roll(24 * HORIZON_DAYS)).unwrap()),
    };
    start - ahead
}

fn random_mask(dice: &mut Dice) -> Mask {
    match dice.roll(5) {
        0 => Mask::NONE,
        1 => Mask::ALL,
        _ => (0..24).filter(|_| !dice.once_in(4)).collect(),
    }
}

async fn teach(connection: &mut PgConnection, zone: &Zone, stretch: &Stretch) {
    sqlx::query(
        "insert into zone_offsets
            (time_zone, begins, ends, utc_offset_seconds, first_from, edition)
        values ($1, to_timestamp($2::bigint), to_timestamp($3::bigint), $4,
            to_timestamp($5::bigint), $6)",
    )
    .bind(zone.name())
    .bind(stretch.begins.as_second())
    .bind(stretch.ends.as_second())
    .bind(stretch.utc_offset_seconds)
    .bind(stretch.first_from.as_second())
    .bind(zone::edition())
    .execute(connection)
    .await
    .unwrap();
}

async fn employ(connection: &mut PgConnection, practitioner: &Practitioner) {
    let bits = |mask: Mask| i32::try_from(mask.bits()).unwrap();
    let week: Vec<i32> = practitioner
        .schedule
        .week
        .iter()
        .copied()
        .map(bits)
        .collect();
    sqlx::query(
        "insert into practitioners (id, tenant_id, name, specialty, country, lat, lon, time_zone,
            week, active, version, profile_version)
        values ($1, $2, 'Dr. Who', 'general-practice', 'GB', 51.5, 0, $3, $4, $5, 1, $6)",
    )
    .bind(practitioner.id)
    .bind(TENANT)
    .bind(practitioner.schedule.zone.name())
    .bind(week)
    .bind(practitioner.active)
    .bind(PROFILE_VERSION)
    .execute(&mut *connection)
    .await
    .unwrap();
    let exceptions = practitioner.schedule.exceptions.iter();
    let exceptions: Vec<_> = exceptions
        .map(|(date, mask)| json!({ "local_date": date, "mask": mask.bits() }))
        .collect();
    sqlx::query(
        "insert into schedule_exceptions (practitioner_id, local_date, mask)
        select $1, local_date, mask
        from jsonb_to_recordset($2) as row (local_date date, mask int)",
    )
    .bind(practitioner.id)
    .bind(json!(exceptions))
    .execute(connection)
    .await
    .unwrap();
}

/// As the driver takes it.
pub fn date(date: Date) -> NaiveDate {
    date.to_string().parse().unwrap()
}
