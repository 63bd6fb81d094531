//! One event: whom to tell, and whether they have been told.

use futures::future::join_all;
use jiff::Timestamp;
use praxis_domain::event::{self, BOOKING_EVENTS, BookingKind, REMINDER_DUE, REMINDER_EVENTS};
use praxis_domain::notice::{self, Notice, Occasion, Story};
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::delivery::{self, Receipt};
use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::links;
use spin_sdk::variables;

use crate::ledger::{Ask, Claim, Ending, Entry, Given, Ledger};
use crate::message::Envelope;
use crate::people;
use crate::reminders::{due, opt_out, plan};
use crate::templates::{self, Choice, Said, Telling, Words};

pub const PUBLIC_URL_VARIABLE: &str = "public_url";

pub async fn handle(delivery: Delivery) -> Result<(), Failure> {
    match &delivery.topic[..] {
        BOOKING_EVENTS => of_booking(&delivery).await,
        REMINDER_EVENTS => of_reminder(&delivery).await,
        _ => Err(events::unexpected(&delivery)),
    }
}

async fn of_booking(delivery: &Delivery) -> Result<(), Failure> {
    // Whoever is booked at one place is told of that, not of their other places.
    if let event::HOUR_TAKEN_ELSEWHERE | event::HOUR_FREED_ELSEWHERE = &delivery.event.kind[..] {
        return Ok(());
    }
    let Some(kind) = BookingKind::parse(&delivery.event.kind) else {
        return Err(events::unexpected(delivery));
    };
    let Some(occasion) = Occasion::of(kind) else {
        return Ok(());
    };
    let booking: event::Booking = events::payload(&delivery.event)?;
    let happened = happened(delivery)?;
    let database = Database::open().await?;
    let news = News {
        event_id: &delivery.id,
        occasion,
        happened,
        is_late: notice::is_too_old(happened, &booking, clock::now()),
        plan: plan::Change::of(occasion, &booking, happened),
        booking,
        practitioners_too: true,
    };
    news.tell(&database).await
}

/// Of a booking that is as it was when the reminder was announced; of another one nobody is reminded.
async fn of_reminder(delivery: &Delivery) -> Result<(), Failure> {
    if delivery.event.kind != REMINDER_DUE {
        return Err(events::unexpected(delivery));
    }
    let reminder: event::Reminder = events::payload(&delivery.event)?;
    let database = Database::open().await?;
    let Some(due) = due::load(&database, &reminder).await? else {
        return Ok(());
    };
    let news = News {
        event_id: &delivery.id,
        occasion: Occasion::Reminder,
        happened: happened(delivery)?,
        is_late: due.is_late,
        plan: None,
        booking: due.booking,
        practitioners_too: due.practitioners_too,
    };
    news.tell(&database).await
}

fn happened(delivery: &Delivery) -> Result<Timestamp, Failure> {
    i64::try_from(delivery.time_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or_else(|| Failure::Reject(format!("{} ms is no time", delivery.time_ms)))
}

/// What there is to tell.
struct News<'a> {
    event_id: &'a str,
    occasion: Occasion,
    happened: Timestamp,
    /// On record, but nobody is told any more.
    is_late: bool,
    /// What it makes of the plan of reminders.
    plan: Option<plan::Change>,
    booking: event::Booking,
    practitioners_too: bool,
}

impl News<'_> {
    async fn tell(&self, database: &Database) -> Result<(), Failure> {
        let people = people::load(database, &self.booking, self.plan.as_ref()).await?;
        let told = match self.practitioners_too {
            true => &people.recipients[..],
            false => &people.recipients[..1],
        };
        let public_url = variables::get(PUBLIC_URL_VARIABLE)
            .await
            .map_err(|error| Failure::Retry(format!("variable {PUBLIC_URL_VARIABLE}: {error}")))?;
        let secrets = links::secrets().await.map_err(Failure::Retry)?;
        let tenant = &self.booking.tenant_id;
        let (occasion, event_id) = (self.occasion, self.event_id);
        let choice = Choice::load(database, tenant, occasion, event_id, &people.recipients).await?;
        let telling = Telling {
            event_id,
            story: Story {
                occasion,
                booking: &self.booking,
                patient_name: people.patient_name.as_deref(),
                place: &people.place,
                brand: &choice.brand,
                public_url: &public_url,
                secrets: &secrets,
            },
            happened: self.happened,
            choice: &choice,
        };
        let notices = notice::notices(event_id, occasion, told);
        answer(tell(database, &telling, &notices, self.is_late).await?)
    }
}

async fn tell(
    database: &Database,
    telling: &Telling<'_>,
    notices: &[Notice<'_>],
    is_late: bool,
) -> Result<Vec<Told>, Failure> {
    let plans = plans(database, telling, notices, is_late).await?;
    let entry = |notice| Entry {
        event_id: telling.event_id,
        booking: telling.story.booking,
        notice,
    };
    let asks = notices.iter().zip(&plans).map(|(notice, plan)| Ask {
        entry: entry(notice),
        plan: plan.for_ledger(),
    });
    let asks: Vec<_> = asks.collect();
    let ledger = Ledger::new(database);
    let claims = ledger.claim(&asks).await?;
    let mut outcomes = Vec::with_capacity(claims.len());
    let mut sending = Vec::new();
    for ((notice, claim), plan) in notices.iter().zip(claims).zip(plans) {
        match (plan, claim) {
            (Plan::Send(words, address), Claim::Ours(attempts)) => {
                let envelope = envelope(telling, notice, address)?;
                let try_of = Try {
                    entry: entry(notice),
                    address,
                    attempts,
                };
                let sent = words.message.send(envelope);
                sending.push(async move { (try_of, sent.await) });
            }
            (Plan::Mistake(mistake), claim) => outcomes.push(Ok(cannot_say(mistake, &claim))),
            (Plan::Send(..) | Plan::End(_), claim) => outcomes.push(Ok(told(&claim))),
        }
    }
    // Whoever can't be told does not keep the others waiting.
    outcomes.extend(ended(&ledger, join_all(sending).await).await);
    outcomes.into_iter().collect()
}

async fn plans<'a>(
    database: &Database,
    telling: &Telling<'_>,
    notices: &'a [Notice<'_>],
    is_late: bool,
) -> Result<Vec<Plan<'a>>, Failure> {
    let story = &telling.story;
    let opted_out = match story.occasion {
        Occasion::Reminder => opt_out::among(database, story.booking, notices).await?,
        Occasion::Created | Occasion::Cancelled | Occasion::Rescheduled | Occasion::Offered => {
            vec![false; notices.len()]
        }
    };
    let mut plans = Vec::with_capacity(notices.len());
    for (notice, is_out) in notices.iter().zip(opted_out) {
        plans.push(match notice.address {
            _ if is_out => Plan::End(Ending::OptedOut),
            None => Plan::End(Ending::NoAddress),
            Some(_) if is_late => Plan::End(Ending::TooOld),
            // In words before it is claimed: so every try finds the mistake in a template again.
            Some(address) => match templates::find(database, telling, notice).await? {
                Ok(words) => Plan::Send(words, address),
                Err(mistake) => Plan::Mistake(mistake),
            },
        });
    }
    Ok(plans)
}

fn envelope(
    telling: &Telling<'_>,
    notice: &Notice<'_>,
    address: &str,
) -> Result<Envelope, Failure> {
    let Telling { story, choice, .. } = telling;
    let entry = notice::entry(story, notice.recipient, telling.happened)
        .map_err(|error| templates::odd(story, &error))?;
    Ok(Envelope {
        owner: choice.tenant.clone(),
        idempotency_key: notice.idempotency_key.clone(),
        address: address.to_owned(),
        sender_name: choice.sender_name.clone(),
        reply_to: choice.brand.reply_to.clone(),
        entry,
        unsubscribe: notice::unsubscribe_url(story, notice.recipient, notice.channel),
    })
}

/// What becomes of a notice, if it is ours.
enum Plan<'a> {
    Send(Words, &'a str),
    /// Nobody is told.
    End(Ending<'a>),
    /// Ours to mend.
    Mistake(String),
}

impl Plan<'_> {
    fn for_ledger(&self) -> Result<&Said, Ending<'_>> {
        match self {
            Self::Send(words, _) => Ok(&words.said),
            Self::End(ending) => Err(*ending),
            Self::Mistake(mistake) => Err(Ending::Failed(mistake)),
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

enum Told {
    /// Sent, or never to be.
    Finished,
    /// To be tried again, with the same key, because of this.
    Later(&'static str),
    /// The ledger says `failed`, by a mistake of ours: this one.
    Never(String),
}

/// An entry that was claimed, at its try of that number.
struct Try<'a> {
    entry: Entry<'a>,
    address: &'a str,
    attempts: i32,
}

/// Keeps how the tries ended; those that were sent by one statement.
async fn ended(
    ledger: &Ledger<'_>,
    tries: Vec<(Try<'_>, Result<Receipt, delivery::Error>)>,
) -> Vec<Result<Told, Failure>> {
    let mut outcomes = Vec::with_capacity(tries.len());
    let mut sent = Vec::with_capacity(tries.len());
    for (tried, answer) in tries {
        match answer {
            Ok(receipt) => sent.push((tried.entry, tried.attempts, receipt)),
            Err(error) => outcomes.push(not_sent(ledger, &tried, error).await),
        }
    }
    let noted = ledger.sent(&sent).await;
    outcomes.push(noted.map(|()| Told::Finished).map_err(Failure::from));
    outcomes
}

async fn not_sent(
    ledger: &Ledger<'_>,
    tried: &Try<'_>,
    error: delivery::Error,
) -> Result<Told, Failure> {
    let Try {
        entry,
        address,
        attempts,
    } = tried;
    match error {
        delivery::Error::Unavailable => match ledger.give(entry, *attempts).await? {
            Given::Back => return Ok(Told::Later("the delivery is unavailable")),
            Given::Up => {}
        },
        delivery::Error::Throttled(_) => {
            ledger.put_off(entry, *attempts).await?;
            return Ok(Told::Later("too many messages at once"));
        }
        delivery::Error::BadAddress(why) => {
            ledger.refused(entry, *attempts, address, &why).await?;
        }
        delivery::Error::Rejected(why) => {
            let reason = format!("rejected: {why}");
            ledger.failed(entry, *attempts, &reason).await?;
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

fn cannot_say(mistake: String, claim: &Claim) -> Told {
    match claim {
        Claim::Ours(_) | Claim::Ended { failed: true } => Told::Never(mistake),
        // It was told before the template broke.
        Claim::Ended { failed: false } => Told::Finished,
        Claim::Held => told(claim),
    }
}
