//! Practitioners to test with.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Api;

pub const TENANT: &str = "clinic";
pub const SPECIALTY: &str = "general-practice";
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// A line of an import.
#[derive(Debug, Clone)]
pub struct Practitioner {
    pub id: Uuid,
    pub tenant: String,
    /// Who works at several places.
    pub person: Option<Uuid>,
    pub name: String,
    pub lat: f64,
    pub lon: f64,
    pub time_zone: String,
    pub rating: f64,
    pub email: String,
    pub subject: String,
    /// Every day of the week alike.
    pub hours: Vec<u8>,
    /// Closed on these local dates.
    pub closed: Vec<NaiveDate>,
}

impl Practitioner {
    /// In the middle of Berlin, 9 to 17, closed today and tomorrow: no slot begins while a test
    /// runs.
    pub fn in_berlin(name: &str) -> Self {
        Self::in_zone(name, "Europe/Berlin")
    }

    /// As `in_berlin`, by another clock.
    pub fn in_zone(name: &str, time_zone: &str) -> Self {
        let time_zone = time_zone.to_owned();
        let today = today(&time_zone);
        let id = fresh_id();
        Self {
            id,
            tenant: TENANT.to_owned(),
            person: None,
            name: format!("Dr. {name}"),
            lat: 52.52,
            lon: 13.405,
            rating: 4.0,
            email: format!("{}@clinic.example", name.to_lowercase()),
            subject: format!("practitioner-{id}"),
            hours: (9..17).collect(),
            closed: vec![today, today + Days::new(1)],
            time_zone,
        }
    }

    pub fn json(&self) -> Value {
        let week: BTreeMap<_, _> = WEEKDAYS.iter().map(|day| (*day, &self.hours)).collect();
        let exceptions: BTreeMap<_, [u8; 0]> = self
            .closed
            .iter()
            .map(|date| (date.to_string(), []))
            .collect();
        json!({
            "practitioner_id": self.id,
            "tenant": self.tenant,
            "person_id": self.person,
            "name": self.name,
            "specialty": SPECIALTY,
            "practice": "Praxis am Markt",
            "address": "Markt 1",
            "city": "Berlin",
            "country": "DE",
            "location": { "lat": self.lat, "lon": self.lon },
            "time_zone": self.time_zone,
            "rating": self.rating,
            "email": self.email,
            "locale": "en",
            "subject": self.subject,
            "hours": week,
            "exceptions": exceptions,
        })
    }

    /// The local dates that the clients of these tests ask for.
    pub fn availability_path(&self) -> String {
        let from = today(&self.time_zone);
        let to = from + Days::new(9);
        format!(
            "/v1/practitioners/{}/availability?from={from}&to={to}",
            self.id
        )
    }

    /// Free slots, as the API tells them, and which path answered.
    pub async fn free_slots(&self, api: &Api) -> (Vec<String>, String) {
        let answer = api.get(&self.availability_path()).await.expect(200);
        let source = answer.header("x-praxis-source").to_owned();
        (slots(&answer.json()), source)
    }

    pub fn search_path(&self) -> String {
        let (lat, lon) = (self.lat, self.lon);
        format!(
            "/v1/practitioners/search?lat={lat}&lon={lon}&radius_km=25&specialty={SPECIALTY}&limit=100"
        )
    }

    /// `next_available_slot` in the search answer; `None`: the practitioner is not in it.
    pub async fn next_slot_in_search(&self, api: &Api) -> Option<String> {
        let answer = api.get(&self.search_path()).await.expect(200).json();
        let items = answer["items"]
            .as_array()
            .expect("a search has items")
            .clone();
        let own = items
            .iter()
            .find(|item| item["practitioner_id"] == self.id.to_string())?;
        own["next_available_slot"].as_str().map(same_instant)
    }
}

/// The `slot_start` of every free slot in an availability answer.
pub fn slots(availability: &Value) -> Vec<String> {
    let days = availability["days"]
        .as_array()
        .expect("availability has days");
    days.iter()
        .flat_map(|day| day["slots"].as_array().expect("a day has slots"))
        .map(|slot| same_instant(slot["slot_start"].as_str().expect("a slot has a start")))
        .collect()
}

/// An instant in the one spelling that these tests compare.
pub fn same_instant(text: &str) -> String {
    let instant = DateTime::parse_from_rfc3339(text).expect("an instant in RFC 3339");
    assert_eq!(
        instant.offset().local_minus_utc(),
        0,
        "{text} is not in UTC"
    );
    instant
        .with_timezone(&Utc)
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The local date, now.
pub fn today(time_zone: &str) -> NaiveDate {
    let zone = TimeZone::get(time_zone).expect("a zone of the IANA database");
    let date = zone.to_datetime(now()).date();
    date.to_string().parse().expect("a date is a date")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests ask for dates around the real today"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "practitioners of different tests must not meet"
)]
pub fn fresh_id() -> Uuid {
    Uuid::new_v4()
}
