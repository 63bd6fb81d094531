//! One event: whom to tell, and whether they have been told.

use jiff::Timestamp;
use praxis_domain::event::{self, BOOKING_EVENTS, BookingKind};
use praxis_domain::notice::{self, Notice, Occasion, View};
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::delivery;
use praxis_platform::events::{self, Delivery, Failure};
use spin_sdk::variables;

use crate::ledger::{Claim, Ending, Entry, Given, Ledger};
use crate::message::Message;
use crate::people::{self, People};

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
    let too_old = is_too_old(&delivery, &booking)?;
    let public_url = variables::get(PUBLIC_URL_VARIABLE)
        .await
        .map_err(|error| Failure::Reject(format!("variable {PUBLIC_URL_VARIABLE}: {error}")))?;
    let mut told = Vec::new();
    for notice in notice::notices(&delivery.id, occasion, &people.recipients) {
        let view = view(&booking, &people, &notice, &public_url)?;
        let entry = Entry {
            event_id: &delivery.id,
            booking: &booking,
            notice: &notice,
        };
        // Whoever can't be told does not keep the others waiting.
        told.push(tell(&Ledger::new(&database), &entry, &view, too_old).await?);
    }
    answer(told)
}

/// Not at its end before everybody else is: a mistake is reported with the last try.
fn answer(told: Vec<Told>) -> Result<(), Failure> {
    let mut mistake = None;
    for told in told {
        match told {
            Told::Finished => {}
            Told::Later(why) => return Err(Failure::Retry(why.to_owned())),
            Told::Never(why) => mistake = Some(why),
        }
    }
    mistake.map_or(Ok(()), |why| Err(Failure::Reject(why)))
}

fn is_too_old(delivery: &Delivery, booking: &event::Booking) -> Result<bool, Failure> {
    let happened = i64::try_from(delivery.time_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or_else(|| Failure::Reject(format!("{} ms is no time", delivery.time_ms)))?;
    Ok(notice::is_too_old(happened, booking, clock::now()))
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
    /// To be tried again, with the same key, because of this.
    Later(&'static str),
    /// The ledger says `failed`, by a mistake of ours: this one.
    Never(String),
}

async fn tell(
    ledger: &Ledger<'_>,
    entry: &Entry<'_>,
    view: &View,
    too_old: bool,
) -> Result<Told, Failure> {
    let Some(address) = entry.notice.address else {
        return Ok(told(ledger.record(entry, Ending::NoAddress).await?));
    };
    if too_old {
        return Ok(told(ledger.record(entry, Ending::TooOld).await?));
    }
    // Rendered before it is claimed: so every try finds the mistake in a template again.
    let message = match Message::render(entry.notice, view) {
        Ok(message) => message,
        Err(error) => return cannot_say(ledger, entry, &error.to_string()).await,
    };
    let attempts = match ledger.claim(entry).await? {
        Claim::Ours(attempts) => attempts,
        other => return Ok(told(other)),
    };
    match message.send(entry.notice, address).await {
        Ok(receipt) => ledger.sent(entry, &receipt).await?,
        Err(delivery::Error::Unavailable) => match ledger.give(entry, attempts).await? {
            Given::Back => return Ok(Told::Later("the delivery is unavailable")),
            Given::Up => {}
        },
        Err(delivery::Error::BadAddress(why)) => {
            ledger.failed(entry, &format!("bad address: {why}")).await?;
        }
        Err(delivery::Error::Rejected(why)) => {
            ledger.failed(entry, &format!("rejected: {why}")).await?;
        }
    }
    Ok(Told::Finished)
}

/// Where nothing is sent.
fn told(claim: Claim) -> Told {
    match claim {
        Claim::Ours(_) | Claim::Ended { .. } => Told::Finished,
        Claim::Held => Told::Later("another host may be sending it"),
    }
}

async fn cannot_say(
    ledger: &Ledger<'_>,
    entry: &Entry<'_>,
    mistake: &str,
) -> Result<Told, Failure> {
    let claim = ledger.record(entry, Ending::Failed(mistake)).await?;
    Ok(match claim {
        Claim::Ours(_) | Claim::Ended { failed: true } => Told::Never(mistake.to_owned()),
        // It was told before the template broke.
        Claim::Ended { failed: false } => Told::Finished,
        Claim::Held => told(claim),
    })
}
