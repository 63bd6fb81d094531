//! `GET /v1/practitioners/{id}/availability`.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::FieldError;
use praxis_domain::calendar::{self, BOOKING_HORIZON_DAYS, Day, NamedDate};
use praxis_domain::mask::Mask;
use praxis_domain::slot::Slot;
use praxis_domain::zone::Zone;
use praxis_platform::cache::{self, Cache};
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use praxis_platform::snapshot::Snapshot;
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::bitmap::{self, Answer};

/// The header that says which path answered: `bitmap` or `database`.
const SOURCE_HEADER: &str = "x-praxis-source";

#[derive(Serialize)]
struct Availability<'a> {
    practitioner_id: Uuid,
    time_zone: &'a str,
    days: Vec<FreeDay>,
}

#[derive(Serialize)]
struct FreeDay {
    date: Date,
    /// Bit h is the local hour h.
    mask: u32,
    slots: Vec<FreeSlot>,
}

#[derive(Serialize)]
struct FreeSlot {
    slot_start: Timestamp,
    local_time: String,
}

/// The free slots of a range of local dates: from the bitmap if it has them all, else from the
/// database, which also fills the bitmap.
pub async fn get(request: &Request, practitioner: Uuid) -> Result<Response, Problem> {
    let (from, to) = range(request)?;
    let now = clock::now();
    // Beyond what can be booked there is nothing to look up.
    let (first, last) = calendar::horizon_anywhere(now);
    let bookable: Vec<Date> = calendar::dates(from.max(first), to.min(last)).collect();
    let cache = Cache::open().await;
    let (zone, days, source) = match read(&cache, practitioner, &bookable).await {
        Answer::Days { zone, days } => (zone, days, "bitmap"),
        Answer::Inactive => return Err(Problem::not_found()),
        Answer::NotLoaded => {
            let (zone, days) = from_database(&cache, practitioner, &bookable, first).await?;
            (zone, days, "database")
        }
    };
    let body = Availability {
        practitioner_id: practitioner,
        time_zone: zone.name(),
        days: calendar::dates(from, to)
            .map(|date| free_day(date, &days, &zone, now))
            .collect(),
    };
    let answer = response::json(StatusCode::OK, &body);
    Ok(response::with(answer, SOURCE_HEADER, source))
}

fn range(request: &Request) -> Result<(Date, Date), Problem> {
    let query = request.query(&["from", "to"])?;
    let NamedDate(from) = query.required("from", "a date: 2026-11-23")?;
    let NamedDate(to) = query.required("to", "a date: 2026-11-23")?;
    if to < from {
        return Err(Problem::field("/query/to", "must not be before from"));
    }
    if (to - from).get_days() >= BOOKING_HORIZON_DAYS {
        let detail = format!("must be less than {BOOKING_HORIZON_DAYS} days after from");
        return Err(Problem::invalid(vec![FieldError::new("/query/to", detail)]));
    }
    Ok((from, to))
}

/// A cache that can't be reached has nothing loaded.
async fn read(cache: &Result<Cache, cache::Error>, practitioner: Uuid, dates: &[Date]) -> Answer {
    let answer = match cache {
        Ok(cache) => bitmap::read(cache, practitioner, dates).await,
        Err(error) => Err(error.clone()),
    };
    answer.unwrap_or_else(|error| {
        eprintln!("availability is answered from the database: {error}");
        Answer::NotLoaded
    })
}

/// `today` stands in where no date is asked for: the practitioner may be unknown all the same.
async fn from_database(
    cache: &Result<Cache, cache::Error>,
    practitioner: Uuid,
    dates: &[Date],
    today: Date,
) -> Result<(Zone, Vec<Day>), Problem> {
    let from = dates.first().copied().unwrap_or(today);
    let to = dates.last().copied().unwrap_or(today);
    let database = Database::open().await?;
    let snapshot = Snapshot::load(&database, practitioner, from, to)
        .await?
        .filter(|snapshot| snapshot.active)
        .ok_or_else(Problem::not_found)?;
    let days = snapshot.days(from, to);
    if let Ok(cache) = cache
        && let Err(error) = bitmap::fill(cache, practitioner, &snapshot, &days).await
    {
        eprintln!("could not fill the bitmap: {error}");
    }
    Ok((snapshot.schedule.zone, days))
}

fn free_day(date: Date, days: &[Day], zone: &Zone, now: Timestamp) -> FreeDay {
    let day = days.iter().find(|day| day.date == date);
    let slots = day.map(|day| day.slots(zone, now)).unwrap_or_default();
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
