//! Who is told what about a booking, and what a template may say.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::address;
use crate::dates::Dates;
use crate::event::{self, BookingKind};
use crate::invitation;
use crate::link::Secrets;
use crate::locale::Locale;
use crate::patient::Channel;
use crate::slot::{Misaligned, Slot};
use crate::tenant::Brand;
use crate::zone::{self, Zone};

pub use entry::{Entry, entry};
pub use links::unsubscribe_url;

mod entry;
mod links;

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

/// Idempotency keys are made in this name space.
const NAMESPACE: Uuid = uuid!("2b8e6a37-6f0e-5d6c-a6f4-9c3d1e7b5a10");

/// What people are told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Created,
    Cancelled,
    Rescheduled,
    /// It is soon.
    Reminder,
    /// A slot that came free is held for the patient.
    Offered,
}

impl Occasion {
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::Cancelled,
        Self::Rescheduled,
        Self::Reminder,
        Self::Offered,
    ];

    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|occasion| occasion.name() == name)
    }

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
            Self::Reminder => "booking-reminder",
            Self::Offered => "hold-offered",
        }
    }

    /// An offer is between the patient and us until they take it.
    pub fn concerns(self, audience: Audience) -> bool {
        match (self, audience) {
            (Self::Offered, Audience::Practitioner) => false,
            (Self::Offered, Audience::Patient)
            | (Self::Created | Self::Cancelled | Self::Rescheduled | Self::Reminder, _) => true,
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
    pub const ALL: [Self; 2] = [Self::Patient, Self::Practitioner];

    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|audience| audience.name() == name)
    }

    /// Whether anybody of them is told that way.
    pub fn is_told_by(self, channel: Channel) -> bool {
        match self {
            Self::Patient => true,
            // They look after a whole calendar: a text for each booking would be noise.
            Self::Practitioner => channel == Channel::Email,
        }
    }

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
    /// What language they want to be told in.
    pub locale: Locale,
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

impl Notice<'_> {
    /// The address as lists of addresses know it.
    pub fn address_key(&self) -> Option<String> {
        self.address
            .map(|address| address::key(self.channel, address))
    }
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
    /// `DE`
    pub country: String,
    pub phone: Option<String>,
}

/// What there is to tell of a booking, whoever is told.
pub struct Story<'a> {
    pub occasion: Occasion,
    pub booking: &'a event::Booking,
    pub patient_name: Option<&'a str>,
    pub place: &'a Place,
    pub brand: &'a Brand,
    pub public_url: &'a str,
    /// What signs the links.
    pub secrets: &'a Secrets,
}

/// What a template may say. Nothing about anybody's health: not even the specialty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// `de-AT`. Dates and times here are written as it does.
    pub locale: Locale,
    pub brand: Brand,
    pub booking_id: Uuid,
    pub recipient_name: Option<String>,
    pub patient_name: Option<String>,
    pub place: Place,
    pub slot: Time,
    /// When it was before it was rescheduled.
    pub previous: Option<Time>,
    /// Until when an offer holds, `Monday, 23 November 2026 at 09:15`, in the practitioner's own time.
    pub offered_until: Option<String>,
    /// Where the patient sees their bookings.
    pub public_url: String,
    /// Cancels the appointment, for whoever has the link: to the patient, of one that is to come.
    pub cancel_url: Option<String>,
    /// Ends reminders on the channel of this one, for whoever has the link.
    pub opt_out_url: Option<String>,
}

/// A slot in the practitioner's own time, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time {
    /// `Monday, 23 November 2026`, `lundi 23 novembre 2026`.
    pub date: String,
    /// `09:00`, `9:00 AM`.
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
    #[error(transparent)]
    Calendar(#[from] invitation::BadTime),
}

/// What the templates may say to one recipient of an event on a channel, in the forms of a locale; where
/// that names no country, in those of the practice's.
pub fn view(
    story: &Story<'_>,
    recipient: &Recipient,
    channel: Channel,
    locale: &Locale,
) -> Result<View, BadTime> {
    let Story { booking, place, .. } = *story;
    let zone = Zone::parse(&booking.time_zone)?;
    let locale = locale.in_country(&place.country);
    let dates = Dates::of(&locale);
    let previous = match &booking.previous {
        Some(previous) => Some(time(previous.previous_slot_start, &zone, &dates)?),
        None => None,
    };
    Ok(View {
        brand: Brand {
            name: one_line(&story.brand.name),
            ..story.brand.clone()
        },
        booking_id: booking.booking_id,
        recipient_name: recipient.name.as_deref().map(one_line),
        patient_name: story.patient_name.map(one_line),
        place: Place {
            practitioner: one_line(&place.practitioner),
            practice: one_line(&place.practice),
            address: one_line(&place.address),
            city: one_line(&place.city),
            country: place.country.clone(),
            phone: place.phone.as_deref().map(one_line),
        },
        slot: time(booking.slot_start, &zone, &dates)?,
        previous,
        offered_until: booking
            .hold_expires_at
            .map(|end| dates.moment(zone.local(end))),
        public_url: story.public_url.to_owned(),
        cancel_url: links::cancel_url(story, recipient),
        opt_out_url: links::opt_out_url(story, recipient, channel),
        locale,
    })
}

fn time(start: Timestamp, zone: &Zone, dates: &Dates) -> Result<Time, BadTime> {
    let slot = Slot::parse(start, zone)?;
    Ok(Time {
        date: dates.date(slot.date()),
        from: dates.time(zone.local(slot.start()).time()),
        to: dates.time(zone.local(slot.end()).time()),
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
