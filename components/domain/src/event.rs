//! The events: their topics, kinds and payloads.
//!
//! A payload holds ids and times, never a name, an address or a reason. The key of every event
//! is the practitioner's id; of a reminder, the booking's.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of every payload here.
pub const SCHEMA: u32 = 1;

pub const BOOKING_EVENTS: &str = "booking-events";
pub const PRACTITIONER_EVENTS: &str = "practitioner-events";
pub const AVAILABILITY_EVENTS: &str = "availability-events";
/// What people are reminded of.
pub const REMINDER_EVENTS: &str = "reminder-events";
/// The topic of what a timer sends.
pub const CRON: &str = "cron";

pub const SLOT_HELD: &str = "SlotHeld";
pub const BOOKING_CREATED: &str = "BookingCreated";
pub const BOOKING_CANCELLED: &str = "BookingCancelled";
pub const BOOKING_RESCHEDULED: &str = "BookingRescheduled";
pub const HOLD_EXPIRED: &str = "HoldExpired";
pub const HOLD_OFFERED: &str = "HoldOffered";

/// Of `booking-events` too: somebody who works at several places is booked at another one of them, or
/// is not any more.
pub const HOUR_TAKEN_ELSEWHERE: &str = "HourTakenElsewhere";
pub const HOUR_FREED_ELSEWHERE: &str = "HourFreedElsewhere";

pub const PRACTITIONER_CREATED: &str = "PractitionerCreated";
pub const PRACTITIONER_UPDATED: &str = "PractitionerUpdated";
pub const PRACTITIONER_DEACTIVATED: &str = "PractitionerDeactivated";

pub const AVAILABILITY_CHANGED: &str = "AvailabilityChanged";

/// Of `reminder-events`: a patient is to be reminded now.
pub const REMINDER_DUE: &str = "ReminderDue";

/// Timer: holds that have run out are to be expired.
pub const HOLDS_DUE: &str = "HoldsDue";
/// Timer: the rules of the zones in use are to be written down anew.
pub const ZONES_DUE: &str = "ZonesDue";
/// Timer: reminders whose time has come are to be announced.
pub const REMINDERS_DUE: &str = "RemindersDue";
/// Timer: next free slots that lie in the past are to be computed anew.
pub const NEXT_SLOTS_DUE: &str = "NextSlotsDue";
/// From one to the next, by the `schedule` of its trigger in the manifest.
pub const NEXT_SLOTS_EVERY_SECONDS: i64 = 60;

/// Timer: some more of what was copied from the database is to be held against it.
pub const AUDIT_DUE: &str = "AuditDue";

/// What happened to a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingKind {
    SlotHeld,
    BookingCreated,
    BookingCancelled,
    /// Of the new booking; `previous` tells of the old one.
    BookingRescheduled,
    /// A hold ran out, or was given up.
    HoldExpired,
    /// A slot that came free is held for somebody who has waited for it.
    HoldOffered,
}

impl BookingKind {
    pub fn parse(kind: &str) -> Option<Self> {
        match kind {
            SLOT_HELD => Some(Self::SlotHeld),
            BOOKING_CREATED => Some(Self::BookingCreated),
            BOOKING_CANCELLED => Some(Self::BookingCancelled),
            BOOKING_RESCHEDULED => Some(Self::BookingRescheduled),
            HOLD_EXPIRED => Some(Self::HoldExpired),
            HOLD_OFFERED => Some(Self::HoldOffered),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::SlotHeld => SLOT_HELD,
            Self::BookingCreated => BOOKING_CREATED,
            Self::BookingCancelled => BOOKING_CANCELLED,
            Self::BookingRescheduled => BOOKING_RESCHEDULED,
            Self::HoldExpired => HOLD_EXPIRED,
            Self::HoldOffered => HOLD_OFFERED,
        }
    }
}

/// The payload of every event of `booking-events`. Its stream version is the practitioner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    pub schema: u32,
    pub booking_id: Uuid,
    pub practitioner_id: Uuid,
    pub tenant_id: String,
    pub patient_id: Uuid,
    pub slot_start: Timestamp,
    pub local_date: Date,
    pub local_hour: u8,
    pub time_zone: String,
    pub booking_version: i32,
    pub calendar_uid: Uuid,
    pub calendar_sequence: i32,
    /// Only of `HoldOffered`: until when it is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_expires_at: Option<Timestamp>,
    /// Only of `BookingRescheduled`.
    #[serde(flatten)]
    pub previous: Option<Previous>,
}

/// The payload of `HourTakenElsewhere` and `HourFreedElsewhere`. Key and stream version are those of the
/// practitioner who is told: the booking is another's, of the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    pub schema: u32,
    pub practitioner_id: Uuid,
    pub tenant_id: String,
    pub booking_id: Uuid,
    pub slot_start: Timestamp,
}

/// What a rescheduled booking was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    pub rescheduled_from: Uuid,
    pub previous_slot_start: Timestamp,
    pub previous_local_date: Date,
    pub previous_local_hour: u8,
}

/// The payload of `ReminderDue`: of which booking, as it was when it was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    pub schema: u32,
    pub booking_id: Uuid,
    /// How long before the slot.
    pub lead_minutes: i32,
    pub slot_start: Timestamp,
}

/// The payload of every event of `practitioner-events`. Its stream version is the practitioner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Practitioner {
    pub schema: u32,
    pub practitioner_id: Uuid,
    pub tenant_id: String,
    pub profile_version: i64,
}

/// The payload of `AvailabilityChanged`. Its stream version is that of the practitioner's next
/// slot, not the practitioner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityChanged {
    pub schema: u32,
    pub practitioner_id: Uuid,
    /// None: nothing is free within the booking horizon, or the practitioner is not active.
    pub next_available_slot: Option<Timestamp>,
    /// The practitioner's stream version that it was computed from.
    pub source_version: i64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn created() -> serde_json::Value {
        json!({
            "schema": 1,
            "booking_id": "018f0000-0000-7000-8000-000000000001",
            "practitioner_id": "018f0000-0000-7000-8000-000000000002",
            "tenant_id": "north",
            "patient_id": "018f0000-0000-7000-8000-000000000003",
            "slot_start": "2026-11-23T08:00:00Z",
            "local_date": "2026-11-23",
            "local_hour": 9,
            "time_zone": "Europe/Berlin",
            "booking_version": 1,
            "calendar_uid": "018f0000-0000-7000-8000-000000000004",
            "calendar_sequence": 0,
        })
    }

    #[test]
    fn a_booking_event_round_trips() {
        let event: Booking = serde_json::from_value(created()).unwrap();
        assert_eq!(event.previous, None);
        assert_eq!(serde_json::to_value(&event).unwrap(), created());
    }

    #[test]
    fn a_reschedule_tells_of_the_old_slot() {
        let mut data = created();
        data["rescheduled_from"] = json!("018f0000-0000-7000-8000-000000000005");
        data["previous_slot_start"] = json!("2026-11-20T08:00:00Z");
        data["previous_local_date"] = json!("2026-11-20");
        data["previous_local_hour"] = json!(9);
        let event: Booking = serde_json::from_value(data.clone()).unwrap();
        assert_eq!(event.previous.as_ref().unwrap().previous_local_hour, 9);
        assert_eq!(serde_json::to_value(&event).unwrap(), data);
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in [
            BookingKind::SlotHeld,
            BookingKind::BookingCreated,
            BookingKind::BookingCancelled,
            BookingKind::BookingRescheduled,
            BookingKind::HoldExpired,
            BookingKind::HoldOffered,
        ] {
            assert_eq!(BookingKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(BookingKind::parse("BookingMoved"), None);
    }
}
