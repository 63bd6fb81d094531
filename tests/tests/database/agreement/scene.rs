//! Random practitioners, and random states of the database around one wish.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use praxis_domain::mask::Mask;
use praxis_domain::schedule::{DAYS_PER_WEEK, Period, Schedule, Span, Spans, Week};
use praxis_domain::slot::Slot;
use praxis_domain::terms::Terms;
use praxis_domain::zone::Zone;
use praxis_tests::directory::{fresh_id, now};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{date, employ, teach};
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
        let today = zone.date(self.today);
        let some_date = |dice: &mut Dice| {
            let days = i64::try_from(dice.roll(700)).unwrap() - 350;
            today.saturating_add(days.days())
        };
        for _ in 0..60 {
            exceptions.insert(some_date(dice), random_mask(dice));
        }
        let holidays = (0..20).map(|_| some_date(dice)).collect();
        let leave: Vec<Span> = (0..3).map(|_| random_span(some_date(dice), dice)).collect();
        let (lead_minutes, horizon_days) = match dice.roll(3) {
            0 => (0, 62),
            1 => (60 * i32::try_from(dice.roll(72)).unwrap(), 20),
            _ => (0, 365),
        };
        Practitioner {
            id: fresh_id(),
            active: !dice.once_in(6),
            schedule: Schedule {
                exceptions,
                holidays,
                leave: Spans::of(leave),
                periods: random_periods(today, dice),
                terms: Terms::new(lead_minutes, horizon_days).unwrap(),
                ..Schedule::of_week(zone, random_week(dice))
            },
        }
    }

    pub fn case(&self, dice: &mut Dice) -> Case {
        let practitioner = dice.index(self.practitioners.len());
        let zone = &self.practitioners[practitioner].schedule.zone;
        let start = self.random_start(zone, dice);
        let now = random_now(start, self.practitioners[practitioner].schedule.terms, dice);
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
fn random_now(start: Timestamp, terms: Terms, dice: &mut Dice) -> Timestamp {
    let lead = SignedDuration::from_mins(i64::from(terms.lead_minutes()));
    let horizon_days = terms.horizon_days();
    let ahead = match dice.roll(9) {
        0 => SignedDuration::from_secs(i64::try_from(dice.roll(3)).unwrap() - 1),
        1 => SignedDuration::from_hours(-1),
        2 | 3 => {
            let hours = i64::try_from(dice.roll(24 * 4)).unwrap();
            DAY * (horizon_days - 2) + SignedDuration::from_hours(hours)
        }
        4 => lead + SignedDuration::from_secs(i64::try_from(dice.roll(3)).unwrap() - 1),
        _ => {
            let hours = 24 * u64::try_from(horizon_days).unwrap();
            SignedDuration::from_hours(i64::try_from(dice.roll(hours)).unwrap())
        }
    };
    start - ahead
}

fn random_span(from: Date, dice: &mut Dice) -> Span {
    let days = i64::try_from(dice.roll(15)).unwrap();
    Span::new(from, from.saturating_add(days.days())).unwrap()
}

/// Some weeks of a time of their own, one after the other, the last one without an end.
fn random_periods(today: Date, dice: &mut Dice) -> Vec<Period> {
    let mut periods = Vec::new();
    let mut valid_from = today.saturating_sub(350.days());
    for _ in 0..dice.roll(5) {
        let days = i64::try_from(1 + dice.roll(90)).unwrap();
        let span = random_span(valid_from.saturating_add(days.days()), dice);
        periods.push(Period {
            valid_from: span.from(),
            valid_until: Some(span.until()),
            week: random_week(dice),
        });
        valid_from = span.until();
    }
    if let Some(last) = periods.last_mut().filter(|_| dice.once_in(2)) {
        last.valid_until = None;
    }
    periods
}

fn random_week(dice: &mut Dice) -> Week {
    [(); DAYS_PER_WEEK].map(|()| random_mask(dice))
}

fn random_mask(dice: &mut Dice) -> Mask {
    match dice.roll(5) {
        0 => Mask::NONE,
        1 => Mask::ALL,
        _ => (0..24).filter(|_| !dice.once_in(4)).collect(),
    }
}
