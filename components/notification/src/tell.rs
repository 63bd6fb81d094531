//! One event: whom to tell, and whether they have been told.

use jiff::Timestamp;
use praxis_domain::event::{self, BOOKING_EVENTS, BookingKind};
use praxis_domain::notice::{self, Notice, Occasion, View};
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::delivery;
use praxis_platform::events::{self, Delivery, Failure};
use spin_sdk::variables;

use crate::ledger::{Ending, Entry, Ledger};
use crate::people::{self, People};
use crate::send;

const PUBLIC_URL_VARIABLE: &str = "public_url";

pub async fn handle(delivery: Delivery) -> Result<(), Failure> {
    if delivery.topic != BOOKING_EVENTS {
        return Err(events::unexpected(&delivery));
    }
    let Some(kind) = BookingKind::parse(&delivery.event.kind) else {
        return Err(events::unexpected(&delivery));
    };
    let Some(occasion) = Occasion::of(kind) else {
        return Ok(());
    };
    let booking: event::Booking = events::payload(&delivery.event)?;
    let database = Database::open().await?;
    let people = people::load(&database, &booking).await?;
    let too_old = is_too_old(&delivery)?;
    let public_url = variables::get(PUBLIC_URL_VARIABLE)
        .await
        .map_err(|error| Failure::Reject(format!("variable {PUBLIC_URL_VARIABLE}: {error}")))?;
    let mut unavailable = false;
    for notice in notice::notices(&delivery.id, occasion, &people.recipients) {
        let view = view(&booking, &people, &notice, &public_url)?;
        let entry = Entry {
            event_id: &delivery.id,
            booking: &booking,
            notice: &notice,
        };
        // One channel that is down does not keep the others waiting.
        match tell(&Ledger::new(&database), &entry, &view, too_old).await? {
            Told::Finished => {}
            Told::Later => unavailable = true,
        }
    }
    if unavailable {
        return Err(delivery::Error::Unavailable.into());
    }
    Ok(())
}

fn is_too_old(delivery: &Delivery) -> Result<bool, Failure> {
    let happened = i64::try_from(delivery.time_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or_else(|| Failure::Reject(format!("{} ms is no time", delivery.time_ms)))?;
    Ok(notice::is_too_old(happened, clock::now()))
}

fn view(
    booking: &event::Booking,
    people: &People,
    notice: &Notice,
    public_url: &str,
) -> Result<View, Failure> {
    let patient = people.patient_name.as_deref();
    notice::view(
        booking,
        notice.recipient,
        patient,
        &people.place,
        public_url,
    )
    .map_err(|error| {
        Failure::Reject(format!(
            "the time of {} is odd: {error}",
            booking.booking_id
        ))
    })
}

enum Told {
    /// Sent, or never to be.
    Finished,
    /// The ledger says `sending`: a redelivery tries again, with the same key.
    Later,
}

async fn tell(
    ledger: &Ledger<'_>,
    entry: &Entry<'_>,
    view: &View,
    too_old: bool,
) -> Result<Told, Failure> {
    let Some(address) = entry.notice.address else {
        ledger.record(entry, Ending::NoAddress).await?;
        return Ok(Told::Finished);
    };
    if too_old {
        ledger.record(entry, Ending::TooOld).await?;
        return Ok(Told::Finished);
    }
    if !ledger.claim(entry).await? {
        return Ok(Told::Finished);
    }
    match send::send(entry.notice, address, view).await? {
        Ok(receipt) => {
            ledger.sent(entry, &receipt).await?;
            Ok(Told::Finished)
        }
        Err(delivery::Error::Unavailable) => Ok(Told::Later),
        Err(delivery::Error::BadAddress(why)) => {
            ledger.failed(entry, &format!("bad address: {why}")).await?;
            Ok(Told::Finished)
        }
        Err(delivery::Error::Rejected(why)) => {
            ledger.failed(entry, &format!("rejected: {why}")).await?;
            Ok(Told::Finished)
        }
    }
}
