//! Who there is: practitioners with slots, and patients. All of it follows from the seed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use chrono::Days;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use praxis_tests::Practitioner;
use praxis_tests::directory::{SPECIALTY, TENANT, today};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Builder;

use crate::history::Slot;

/// Whose few slots everybody wants, and who change their hours all the time.
const HOT_PRACTITIONERS: usize = 3;
const COLD_PRACTITIONERS: usize = 45;
const HOT_HOURS: [u8; 4] = [9, 10, 11, 12];
/// The hour that a hot practitioner offers at one time and not at another.
pub const FICKLE_HOUR: u8 = 10;
const HOURS: std::ops::Range<u8> = 9..17;
/// Closed today and tomorrow, so that no slot begins while the run lasts; and one day of grace.
const FIRST_DAY: u64 = 2;
const DAYS: u64 = 5;
pub const PATIENTS: usize = 60;
/// Half an hour beside UTC as well, and the other side of an ocean.
const ZONES: [&str; 3] = ["Europe/Berlin", "Asia/Kolkata", "America/New_York"];
/// All in one row, a hundred and eleven metres apart, so that one search finds them all.
const PLACE: (f64, f64) = (52.52, 13.405);
/// One of so many practitioners is of the other specialty.
const OTHER_EVERY: usize = 5;
const OTHER_SPECIALTY: &str = "cardiology";
pub const SPECIALTIES: [&str; 2] = [SPECIALTY, OTHER_SPECIALTY];
/// What a guest's data begin with: the number follows.
pub const GUESTS: &str = "guest-";
pub const GUEST_PHONES: &str = "+491555";
const HOUR_SECONDS: i64 = 3_600;

pub struct Town {
    pub practitioners: Vec<Practitioner>,
    /// The `sub` of each.
    pub patients: Vec<String>,
    pub hot: Vec<Slot>,
    pub cold: Vec<Slot>,
    /// Where somebody takes, or waits for, any practitioner.
    pub areas: Vec<Area>,
    /// After the last of the slots.
    pub end: i64,
}

/// A specialty around a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    pub lat: f64,
    pub lon: f64,
    pub radius_km: f64,
    pub specialty: String,
}

impl Town {
    pub fn build(chance: &mut ChaCha8Rng) -> anyhow::Result<Self> {
        let count = HOT_PRACTITIONERS + COLD_PRACTITIONERS;
        let practitioners: Vec<_> = (0..count)
            .map(|number| practitioner(number, chance))
            .collect();
        let (mut hot, mut cold) = (Vec::new(), Vec::new());
        for (number, practitioner) in practitioners.iter().enumerate() {
            let days = days(practitioner)?;
            let slots = days.iter().enumerate();
            let slots = slots.flat_map(|(day, date)| HOURS.map(move |hour| (day, *date, hour)));
            for (day, date, hour) in slots {
                let slot = slot(practitioner, date, hour)?;
                match number < HOT_PRACTITIONERS {
                    true if day == 0 && HOT_HOURS.contains(&hour) => hot.push(slot),
                    // Left free, so that the search always finds one.
                    true => {}
                    false => cold.push(slot),
                }
            }
        }
        let last = hot.iter().chain(&cold).map(|slot: &Slot| slot.start).max();
        Ok(Self {
            end: last.unwrap_or_default() + HOUR_SECONDS,
            areas: areas(),
            practitioners,
            patients: (0..PATIENTS)
                .map(|number| format!("patient-{number}"))
                .collect(),
            hot,
            cold,
        })
    }

    pub fn hot_practitioners(&self) -> &[Practitioner] {
        &self.practitioners[..HOT_PRACTITIONERS]
    }

    /// As they are imported.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.practitioners.iter().enumerate();
        let lines = lines.map(|(number, practitioner)| {
            let mut line = practitioner.json();
            if number % OTHER_EVERY == OTHER_EVERY - 1 {
                line["specialty"] = OTHER_SPECIALTY.into();
            }
            line.to_string()
        });
        lines.collect()
    }

    /// What each practitioner's schedule has within the dates that are asked for in the end.
    pub fn offered(&self) -> anyhow::Result<BTreeMap<uuid::Uuid, BTreeSet<i64>>> {
        let mut offered = BTreeMap::new();
        for practitioner in &self.practitioners {
            let mut starts = BTreeSet::new();
            for date in days(practitioner)? {
                for hour in HOURS {
                    starts.insert(slot(practitioner, date, hour)?.start);
                }
            }
            offered.insert(practitioner.id, starts);
        }
        Ok(offered)
    }
}

/// What a patient's token says of them.
pub fn claims(patient: &str) -> Value {
    json!({
        "sub": patient,
        "roles": ["patient"],
        "name": format!("Patient {patient}"),
        "email": format!("{patient}@patients.example"),
        "locale": "en",
    })
}

/// As `claims`, of a guest: somebody who will be erased. Each datum has the number in it, so that it is
/// found wherever it may have stayed.
pub fn guest_claims(number: usize) -> Value {
    let guest = guest(number);
    json!({
        "sub": guest,
        "roles": ["patient"],
        "name": format!("Guest {guest}"),
        "email": format!("{guest}@patients.example"),
        "phone_number": format!("{GUEST_PHONES}{number:06}"),
        "locale": "en",
    })
}

/// The `sub` of a guest.
pub fn guest(number: usize) -> String {
    format!("{GUESTS}{number:06}")
}

/// The path of a practitioner's availability on the days that count.
pub fn availability_path(practitioner: &Practitioner) -> String {
    let first = practitioner.closed[0];
    let (from, to) = (
        first + Days::new(FIRST_DAY),
        first + Days::new(FIRST_DAY + DAYS - 1),
    );
    let id = practitioner.id;
    format!("/v1/practitioners/{id}/availability?from={from}&to={to}")
}

/// Those around the hot ones; some in the middle; everybody; everybody of the other specialty.
fn areas() -> Vec<Area> {
    let (lat, lon) = PLACE;
    // With few digits, so that any reader of JSON reads the same number.
    let area = |lat, radius_km, specialty: &str| Area {
        lat,
        lon,
        radius_km,
        specialty: specialty.to_owned(),
    };
    vec![
        area(lat, 0.4, SPECIALTY),
        area(52.54, 1.0, SPECIALTY),
        area(lat, 50.0, SPECIALTY),
        area(52.55, 50.0, OTHER_SPECIALTY),
    ]
}

/// The search that finds everybody of a specialty.
pub fn search_path(specialty: &str, limit: usize) -> String {
    let (lat, lon) = PLACE;
    format!(
        "/v1/practitioners/search?lat={lat}&lon={lon}&radius_km=50&specialty={specialty}&limit={limit}"
    )
}

fn practitioner(number: usize, chance: &mut ChaCha8Rng) -> Practitioner {
    let id = Builder::from_random_bytes(chance.random()).into_uuid();
    let time_zone = ZONES[number % ZONES.len()].to_owned();
    let today = today(&time_zone);
    let (lat, lon) = PLACE;
    Practitioner {
        id,
        tenant: TENANT.to_owned(),
        person: None,
        name: format!("Dr. Number {number}"),
        lat: lat + f64::from(u8::try_from(number).unwrap_or(u8::MAX)) / 1_000.0,
        lon,
        time_zone,
        rating: 4.0,
        email: format!("practitioner-{number}@clinic.example"),
        subject: format!("practitioner-{number}"),
        hours: HOURS.collect(),
        closed: vec![today, today + Days::new(1)],
    }
}

/// The local dates on which slots are booked.
fn days(practitioner: &Practitioner) -> anyhow::Result<Vec<Date>> {
    let first = practitioner.closed[0];
    (FIRST_DAY..FIRST_DAY + DAYS)
        .map(|day| {
            let date = (first + Days::new(day)).to_string();
            date.parse()
                .with_context(|| format!("{date} should be a date"))
        })
        .collect()
}

fn slot(practitioner: &Practitioner, date: Date, hour: u8) -> anyhow::Result<Slot> {
    let zone = TimeZone::get(&practitioner.time_zone)?;
    let hour = i8::try_from(hour)?;
    let start = date.at(hour, 0, 0, 0).to_zoned(zone)?.timestamp();
    Ok(Slot {
        practitioner: practitioner.id,
        start: start.as_second(),
    })
}
