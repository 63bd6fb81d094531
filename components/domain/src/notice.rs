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
}

impl Occasion {
    /// None where nobody is told: a hold is a thing between a patient and their screen.
    pub fn of(kind: BookingKind) -> Option<Self> {
        match kind {
            BookingKind::BookingCreated => Some(Self::Created),
            BookingKind::BookingCancelled => Some(Self::Cancelled),
            BookingKind::BookingRescheduled => Some(Self::Rescheduled),
            BookingKind::SlotHeld | BookingKind::HoldExpired => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "booking-created",
            Self::Cancelled => "booking-cancelled",
            Self::Rescheduled => "booking-rescheduled",
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

/// Whether an event is too old to tell anybody.
pub fn is_too_old(happened: Timestamp, now: Timestamp) -> bool {
    now.duration_since(happened) > NOTIFY_AGE_MAX
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
mod tests {
    use super::*;

    fn patient(channels: &[Channel]) -> Recipient {
        Recipient {
            id: Uuid::from_u128(1),
            audience: Audience::Patient,
            name: Some("Alice\r\nBcc: eve@example.org".to_owned()),
            email: Some("alice@example.org".to_owned()),
            phone: None,
            channels: channels.to_vec(),
        }
    }

    fn practitioner() -> Recipient {
        Recipient {
            id: Uuid::from_u128(2),
            audience: Audience::Practitioner,
            name: None,
            email: None,
            phone: None,
            channels: vec![Channel::Email],
        }
    }

    fn booking(slot_start: &str, time_zone: &str) -> event::Booking {
        event::Booking {
            schema: event::SCHEMA,
            booking_id: Uuid::from_u128(3),
            practitioner_id: Uuid::from_u128(2),
            tenant_id: "north".to_owned(),
            patient_id: Uuid::from_u128(1),
            slot_start: slot_start.parse().unwrap(),
            local_date: "2026-11-23".parse().unwrap(),
            local_hour: 9,
            time_zone: time_zone.to_owned(),
            booking_version: 1,
            calendar_uid: Uuid::from_u128(4),
            calendar_sequence: 0,
            previous: None,
        }
    }

    fn place() -> Place {
        Place {
            practitioner: "Dr. Anna Weidenbach".to_owned(),
            practice: "Rosenhof".to_owned(),
            address: String::new(),
            city: "Berlin".to_owned(),
            phone: None,
        }
    }

    fn view_of(booking: &event::Booking) -> Result<View, BadTime> {
        let alice = patient(&[Channel::Email]);
        view(
            booking,
            &alice,
            alice.name.as_deref(),
            &place(),
            "https://praxis.example",
        )
    }

    #[test]
    fn everybody_is_told_on_every_channel_that_they_want() {
        let recipients = [patient(&[Channel::Email, Channel::Sms]), practitioner()];
        let notices = notices("e1", Occasion::Created, &recipients);
        let told: Vec<_> = notices
            .iter()
            .map(|notice| (notice.template.as_str(), notice.address))
            .collect();
        assert_eq!(
            told,
            [
                ("booking-created.patient.email", Some("alice@example.org")),
                ("booking-created.patient.sms", None),
                ("booking-created.practitioner.email", None),
            ]
        );
    }

    #[test]
    fn the_idempotency_key_names_event_recipient_and_channel() {
        let recipients = [patient(&[Channel::Email, Channel::Sms]), practitioner()];
        let keys = |event| {
            let notices = notices(event, Occasion::Created, &recipients);
            notices
                .into_iter()
                .map(|notice| notice.idempotency_key)
                .collect::<Vec<_>>()
        };
        assert_eq!(keys("e1"), keys("e1"));
        let mut all = [keys("e1"), keys("e2")].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn nobody_is_told_of_holds() {
        assert_eq!(Occasion::of(BookingKind::SlotHeld), None);
        assert_eq!(Occasion::of(BookingKind::HoldExpired), None);
    }

    #[test]
    fn times_are_the_practitioners_own() {
        let view = view_of(&booking("2026-11-23T08:00:00Z", "Europe/Berlin")).unwrap();
        assert_eq!(view.slot.date, "Monday, 23 November 2026");
        assert_eq!(
            (view.slot.from.as_str(), view.slot.to.as_str()),
            ("09:00", "10:00")
        );
        let view = view_of(&booking("2026-11-22T22:30:00Z", "Australia/Adelaide")).unwrap();
        assert_eq!(view.slot.date, "Monday, 23 November 2026");
        assert_eq!(view.slot.from, "09:00");
    }

    #[test]
    fn a_reschedule_tells_both_times() {
        let mut booking = booking("2026-11-23T08:00:00Z", "Europe/Berlin");
        booking.previous = Some(event::Previous {
            rescheduled_from: Uuid::from_u128(9),
            previous_slot_start: "2026-10-20T07:00:00Z".parse().unwrap(),
            previous_local_date: "2026-10-20".parse().unwrap(),
            previous_local_hour: 9,
        });
        let previous = view_of(&booking).unwrap().previous.unwrap();
        assert_eq!(previous.date, "Tuesday, 20 October 2026");
        assert_eq!(previous.from, "09:00");
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let view = view_of(&booking("2026-11-23T08:00:00Z", "Europe/Berlin")).unwrap();
        assert_eq!(view.patient_name.unwrap(), "Alice Bcc: eve@example.org");
    }

    #[test]
    fn what_is_no_slot_is_not_told() {
        let error = view_of(&booking("2026-11-23T08:30:00Z", "Europe/Berlin")).unwrap_err();
        assert_eq!(error, BadTime::Slot(Misaligned));
        assert!(view_of(&booking("2026-11-23T08:00:00Z", "Mars/Olympus")).is_err());
    }

    #[test]
    fn news_of_yesterday_is_too_old() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert!(!is_too_old("2026-11-22T08:00:00Z".parse().unwrap(), now));
        assert!(is_too_old("2026-11-22T07:59:59Z".parse().unwrap(), now));
        assert!(!is_too_old("2026-11-23T09:00:00Z".parse().unwrap(), now));
    }

    #[test]
    fn one_ailing_mailbox_is_given_up_sooner_than_a_provider_that_is_away() {
        assert!(!is_given_up(DELIVERY_ATTEMPTS_MAX - 1, true));
        assert!(is_given_up(DELIVERY_ATTEMPTS_MAX, true));
        assert!(!is_given_up(OUTAGE_ATTEMPTS_MAX - 1, false));
        assert!(is_given_up(OUTAGE_ATTEMPTS_MAX, false));
    }
}
