//! `GET /v1/practitioners/{id}/availability`.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::FieldError;
use praxis_domain::calendar::{self, Day, NamedDate, RANGE_DAYS_MAX};
use praxis_domain::mask::Mask;
use praxis_domain::slot::Slot;
use praxis_domain::terms::{self, Terms};
use praxis_platform::cache::{self, Cache};
use praxis_platform::clock;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::load::{self, Loaded, Source};

/// The header that says which path answered: `bitmap` or `database`.
const SOURCE_HEADER: &str = "x-praxis-source";

/// What is free in a range of local dates.
#[derive(Serialize)]
pub struct Availability {
    practitioner_id: Uuid,
    time_zone: String,
    days: Vec<FreeDay>,
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    terms: Terms,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct FreeDay {
    date: Date,
    /// Bit h is the local hour h.
    mask: u32,
    slots: Vec<FreeSlot>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct FreeSlot {
    slot_start: Timestamp,
    local_time: String,
}

/// The free slots of a range of local dates: from the bitmap if it has them all, else from the
/// database, which also fills the bitmap.
pub async fn get(request: &Request, practitioner: Uuid) -> Result<Response, Problem> {
    let (from, to) = range(request)?;
    let cache = Cache::open().await;
    let free = free(cache.as_ref(), practitioner, from, to, clock::now()).await?;
    let answer = response::json(StatusCode::OK, &free);
    Ok(response::with(answer, SOURCE_HEADER, free.source.name()))
}

/// 404 where there is no such practitioner, or none that is active.
pub async fn free(
    cache: Result<&Cache, &cache::Error>,
    practitioner: Uuid,
    from: Date,
    to: Date,
    now: Timestamp,
) -> Result<Availability, Problem> {
    // Beyond what can be booked there is nothing to look up.
    let (first, last) = terms::dates_of_anybody(now);
    let bookable: Vec<Date> = calendar::dates(from.max(first), to.min(last)).collect();
    let loaded = load::days(cache, practitioner, &bookable, now).await?;
    let days = calendar::dates(from, to)
        .map(|date| free_day(date, &loaded, now))
        .collect();
    Ok(Availability {
        practitioner_id: practitioner,
        time_zone: loaded.zone.name().to_owned(),
        days,
        source: loaded.source,
        terms: loaded.terms,
    })
}

impl Availability {
    /// The days that are not as they were; none where all are.
    pub fn changed_since(&self, before: &Self) -> Option<Self> {
        let both = self.days.iter().zip(&before.days);
        let days: Vec<_> = both
            .filter(|(now, before)| now != before)
            .map(|(now, _)| now.clone())
            .collect();
        (!days.is_empty()).then(|| Self {
            practitioner_id: self.practitioner_id,
            time_zone: self.time_zone.clone(),
            days,
            source: self.source,
            terms: self.terms,
        })
    }

    /// When the clock alone changes it, at the earliest.
    pub fn holds_until(&self, now: Timestamp) -> Timestamp {
        self.terms.next_change(now)
    }
}

/// The first and the last local date that are asked for.
pub fn range(request: &Request) -> Result<(Date, Date), Problem> {
    let query = request.query(&["from", "to"])?;
    let NamedDate(from) = query.required("from", "a date: 2026-11-23")?;
    let NamedDate(to) = query.required("to", "a date: 2026-11-23")?;
    if to < from {
        return Err(Problem::field("/query/to", "must not be before from"));
    }
    if (to - from).get_days() >= RANGE_DAYS_MAX {
        let detail = format!("must be less than {RANGE_DAYS_MAX} days after from");
        return Err(Problem::invalid(vec![FieldError::new("/query/to", detail)]));
    }
    Ok((from, to))
}

fn free_day(date: Date, loaded: &Loaded, now: Timestamp) -> FreeDay {
    let day = loaded.days.iter().find(|day| day.date == date);
    let slots = |day: &Day| day.slots(&loaded.zone, loaded.terms, now);
    let slots = day.map(slots).unwrap_or_default();
    FreeDay {
        date,
        mask: slots.iter().map(Slot::hour).collect::<Mask>().bits(),
        slots: slots.iter().map(free_slot).collect(),
    }
}

fn free_slot(slot: &Slot) -> FreeSlot {
    FreeSlot {
        slot_start: slot.start(),
        local_time: slot.local_time(),
    }
}
