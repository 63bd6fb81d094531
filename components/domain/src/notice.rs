//! Who is told what about a booking, and what a template may say.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::event::{self, BookingKind};
use crate::patient::Channel;
use crate::slot::{Misaligned, Slot};
use crate::zone::{self, Zone};

/// Older news is recorded, but nobody is told: it comes from a replay.
pub const NOTIFY_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Tries of one notice while others get through on its channel: then it is this recipient's mailbox
/// that ails, and it must not keep the rest of its partition waiting. With the host's pauses of up
/// to 30 seconds: six minutes.
pub const DELIVERY_ATTEMPTS_MAX: i32 = 20;

/// Tries while nobody gets through: then the provider is away, and what waits should outlive that.
/// About an hour.
pub const OUTAGE_ATTEMPTS_MAX: i32 = 130;

/// A claim on a notice is void after that: whoever made it was given 60 seconds for the whole event.
pub const CLAIM_AGE_MAX: SignedDuration = SignedDuration::from_secs(90);

/// The locale of the templates that there are.
pub const LOCALE: &str = "en";

/// Idempotency keys are made in this name space.
const NAMESPACE: Uuid = uuid!("2b8e6a37-6f0e-5d6c-a6f4-9c3d1e7b5a10");

/// What people are told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Created,
    Cancelled,
    Rescheduled,
    /// A slot that came free is held for the patient.
    Offered,
}

impl Occasion {
    /// None where nobody is told: a hold is a thing between a patient and their screen.
    pub fn of(kind: BookingKind) -> Option<Self> {
        match kind {
            BookingKind::BookingCreated => Some(Self::Created),
            BookingKind::BookingCancelled => Some(Self::Cancelled),
            BookingKind::BookingRescheduled => Some(Self::Rescheduled),
            BookingKind::HoldOffered => Some(Self::Offered),
            BookingKind::SlotHeld | BookingKind::HoldExpired => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "booking-created",
            Self::Cancelled => "booking-cancelled",
            Self::Rescheduled => "booking-rescheduled",
            Self::Offered => "hold-offered",
        }
    }

    /// An offer is between the patient and us until they take it.
    fn concerns(self, audience: Audience) -> bool {
        match (self, audience) {
            (Self::Offered, Audience::Practitioner) => false,
            (Self::Offered, Audience::Patient)
            | (Self::Created | Self::Cancelled | Self::Rescheduled, _) => true,
        }
    }
}

/// Whom a text speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Patient,
    Practitioner,
}

impl Audience {
    pub fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Practitioner => "practitioner",
        }
    }
}

/// Somebody to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub id: Uuid,
    pub audience: Audience,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// How they want to be told.
    pub channels: Vec<Channel>,
}

impl Recipient {
    fn address(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Email => self.email.as_deref(),
            Channel::Sms => self.phone.as_deref(),
            // Devices are not registered anywhere yet.
            Channel::Push => None,
        }
    }
}

/// One thing to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice<'a> {
    pub recipient: &'a Recipient,
    pub channel: Channel,
    /// None: they want it on this channel, but cannot be reached there.
    pub address: Option<&'a str>,
    /// `booking-created.patient.email`.
    pub template: String,
    /// The same at every try.
    pub idempotency_key: String,
}

/// What there is to deliver for one event: a notice a recipient and channel.
pub fn notices<'a>(
    event_id: &str,
    occasion: Occasion,
    recipients: &'a [Recipient],
) -> Vec<Notice<'a>> {
    let channels = |recipient: &'a Recipient| {
        recipient
            .channels
            .iter()
            .map(move |channel| (recipient, *channel))
    };
    recipients
        .iter()
        .filter(|recipient| occasion.concerns(recipient.audience))
        .flat_map(channels)
        .map(|(recipient, channel)| Notice {
            recipient,
            channel,
            address: recipient.address(channel),
            template: format!(
                "{}.{}.{}",
                occasion.name(),
                recipient.audience.name(),
                channel.name()
            ),
            idempotency_key: idempotency_key(event_id, recipient.id, channel),
        })
        .collect()
}

fn idempotency_key(event_id: &str, recipient: Uuid, channel: Channel) -> String {
    let name = format!("{event_id}\n{recipient}\n{}", channel.name());
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

/// Whether an event is too old to tell anybody. An offer is when it has run out.
pub fn is_too_old(happened: Timestamp, booking: &event::Booking, now: Timestamp) -> bool {
    now.duration_since(happened) > NOTIFY_AGE_MAX
        || booking.hold_expires_at.is_some_and(|end| end <= now)
}

/// Whether a notice whose channel was unavailable is not tried again.
pub fn is_given_up(attempts: i32, others_get_through: bool) -> bool {
    let most = match others_get_through {
        true => DELIVERY_ATTEMPTS_MAX,
        false => OUTAGE_ATTEMPTS_MAX,
    };
    attempts >= most
}

/// Where the appointment is, and with whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub practitioner: String,
    pub practice: String,
    pub address: String,
    pub city: String,
    pub phone: Option<String>,
}

/// What a template may say. Nothing about anybody's health: not even the specialty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    pub booking_id: Uuid,
    pub recipient_name: Option<String>,
    pub patient_name: Option<String>,
    pub place: Place,
    pub slot: Time,
    /// When it was before it was rescheduled.
    pub previous: Option<Time>,
    /// Until when an offer holds, `Monday, 23 November 2026, 09:15`, in the practitioner's own time.
    pub offered_until: Option<String>,
    /// Where the patient sees their bookings.
    pub public_url: String,
}

/// A slot in the practitioner's own time, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time {
    /// `Monday, 23 November 2026`.
    pub date: String,
    /// `09:00`.
    pub from: String,
    /// `10:00`.
    pub to: String,
    /// `Europe/Berlin`.
    pub time_zone: String,
}

/// Why an event's times cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    #[error(transparent)]
    Zone(#[from] zone::Unknown),
    #[error(transparent)]
    Slot(#[from] Misaligned),
}

/// What the templates may say to one recipient of an event.
pub fn view(
    booking: &event::Booking,
    recipient: &Recipient,
    patient_name: Option<&str>,
    place: &Place,
    public_url: &str,
) -> Result<View, BadTime> {
    let zone = Zone::parse(&booking.time_zone)?;
    let previous = match &booking.previous {
        Some(previous) => Some(time(previous.previous_slot_start, &zone)?),
        None => None,
    };
    Ok(View {
        booking_id: booking.booking_id,
        recipient_name: recipient.name.as_deref().map(one_line),
        patient_name: patient_name.map(one_line),
        place: Place {
            practitioner: one_line(&place.practitioner),
            practice: one_line(&place.practice),
            address: one_line(&place.address),
            city: one_line(&place.city),
            phone: place.phone.as_deref().map(one_line),
        },
        slot: time(booking.slot_start, &zone)?,
        previous,
        offered_until: booking
            .hold_expires_at
            .map(|end| zone.local(end).strftime("%A, %-d %B %Y, %H:%M").to_string()),
        public_url: public_url.to_owned(),
    })
}

fn time(start: Timestamp, zone: &Zone) -> Result<Time, BadTime> {
    let slot = Slot::parse(start, zone)?;
    Ok(Time {
        date: slot.date().strftime("%A, %-d %B %Y").to_string(),
        from: slot.local_time(),
        to: zone.local(slot.end()).strftime("%H:%M").to_string(),
        time_zone: zone.name().to_owned(),
    })
}

/// A subject is one line, whatever a name holds.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests;
