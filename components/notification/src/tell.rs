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
    let notices = notice::notices(&delivery.id, occasion, &people.recipients);
    let mut news = Vec::with_capacity(notices.len());
    for notice in &notices {
        // Rendered before it is claimed: so every try finds the mistake in a template again.
        news.push(match notice.address {
            None => News::End(Ending::NoAddress),
            Some(_) if too_old => News::End(Ending::TooOld),
            Some(address) => {
                let view = view(&booking, &people, notice, &public_url)?;
                match Message::render(notice, &view) {
                    Ok(message) => News::Send(message, address),
                    Err(error) => News::Mistake(error.to_string()),
                }
            }
        });
    }
    let entries = notices.iter().zip(&news).map(|(notice, news)| {
        let entry = Entry {
            event_id: &delivery.id,
            booking: &booking,
            notice,
        };
        (entry, news.ending())
    });
    let entries: Vec<_> = entries.collect();
    let ledger = Ledger::new(&database);
    let claims = ledger.claim(&entries).await?;
    let entries = entries.iter().map(|(entry, _)| entry);
    let mut outcomes = Vec::with_capacity(claims.len());
    for ((entry, claim), news) in entries.zip(claims).zip(&news) {
        // Whoever can't be told does not keep the others waiting: they are claimed already.
        outcomes.push(match (news, claim) {
            (News::Send(message, address), Claim::Ours(attempts)) => {
                send(&ledger, entry, message, address, attempts).await
            }
            (News::Mistake(mistake), claim) => Ok(cannot_say(mistake, &claim)),
            (News::Send(..) | News::End(_), claim) => Ok(told(&claim)),
        });
    }
    answer(outcomes.into_iter().collect::<Result<_, _>>()?)
}

/// What becomes of a notice, if it is ours.
enum News<'a> {
    Send(Message, &'a str),
    /// Nobody is told.
    End(Ending<'a>),
    /// Ours to mend.
    Mistake(String),
}

impl News<'_> {
    fn ending(&self) -> Option<Ending<'_>> {
        match self {
            Self::Send(..) => None,
            Self::End(ending) => Some(*ending),
            Self::Mistake(mistake) => Some(Ending::Failed(mistake)),
        }
    }
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

async fn send(
    ledger: &Ledger<'_>,
    entry: &Entry<'_>,
    message: &Message,
    address: &str,
    attempts: i32,
) -> Result<Told, Failure> {
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
fn told(claim: &Claim) -> Told {
    match claim {
        Claim::Ours(_) | Claim::Ended { .. } => Told::Finished,
        Claim::Held => Told::Later("another host may be sending it"),
    }
}

fn cannot_say(mistake: &str, claim: &Claim) -> Told {
    match claim {
        Claim::Ours(_) | Claim::Ended { failed: true } => Told::Never(mistake.to_owned()),
        // It was told before the template broke.
        Claim::Ended { failed: false } => Told::Finished,
        Claim::Held => told(claim),
    }
}
