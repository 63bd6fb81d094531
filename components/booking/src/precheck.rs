//! A look at the bitmap before the database is asked: an optimisation, not a lock.

use jiff::{Timestamp, ToSpan as _};
use praxis_domain::bitmap;
use praxis_domain::slot::Slot;
use praxis_domain::zone::Zone;
use praxis_platform::cache::{Cache, Error};
use praxis_platform::days;
use uuid::Uuid;

/// Whether the bitmap has the slot as booked. Not loaded, or not reached: no.
pub async fn says_booked(practitioner: Uuid, slot_start: Timestamp) -> bool {
    look(practitioner, slot_start)
        .await
        .unwrap_or_else(|error| {
            eprintln!("booking goes on without the bitmap: {error}");
            false
        })
}

async fn look(practitioner: Uuid, slot_start: Timestamp) -> Result<bool, Error> {
    let cache = Cache::open().await?;
    // The zone is in the cache as well, so the local date is one of three.
    let utc = Zone::utc().date(slot_start);
    let dates = [
        utc.saturating_sub(1.day()),
        utc,
        utc.saturating_add(1.day()),
    ];
    let mut fields = vec![bitmap::ZONE.to_owned()];
    fields.extend(dates.iter().map(|date| bitmap::field(*date)));
    let values = days::fields(&cache, practitioner, &fields).await?;
    let [Some(zone), of_days @ ..] = values.as_slice() else {
        return Ok(false);
    };
    let Some(slot) = slot_of(zone, slot_start) else {
        return Ok(false);
    };
    let day = dates
        .iter()
        .zip(of_days)
        .find(|(date, _)| **date == slot.date());
    let day = day.and_then(|(date, value)| bitmap::decode(*date, value.as_deref()?));
    Ok(day.is_some_and(|day| day.booked.contains(slot.hour())))
}

fn slot_of(zone: &str, slot_start: Timestamp) -> Option<Slot> {
    let zone = Zone::parse(zone).ok()?;
    Slot::parse(slot_start, &zone).ok()
}
