//! A booking and a patient as the database has them, and as the caller sees them.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::booking::{Standing, Status};
use praxis_domain::patient::Channel;
use praxis_domain::slot::{self, Slot};
use praxis_domain::zone::Zone;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A row of `bookings`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Booking {
    pub id: Uuid,
    pub practitioner_id: Uuid,
    pub patient_id: Uuid,
    pub slot_start: Timestamp,
    pub local_date: Date,
    pub local_hour: u8,
    pub time_zone: String,
    pub status: Status,
    pub version: i32,
    pub rescheduled_from: Option<Uuid>,
    pub hold_expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Booking {
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status,
            version: self.version,
            slot_start: self.slot_start,
            hold_expires_at: self.hold_expires_at,
        }
    }
}

/// A booking in an answer. Kept with the receipt, so that a repeated request gets the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub booking_id: Uuid,
    pub practitioner_id: Uuid,
    pub patient_id: Uuid,
    pub slot_start: Timestamp,
    pub local_date: Date,
    pub local_time: String,
    pub time_zone: String,
    pub status: Status,
    pub version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescheduled_from: Option<Uuid>,
    /// Only of a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl View {
    /// A booking that is about to be made.
    pub fn confirmed(
        booking_id: Uuid,
        practitioner_id: Uuid,
        patient_id: Uuid,
        slot: &Slot,
        zone: &Zone,
    ) -> Self {
        Self {
            booking_id,
            practitioner_id,
            patient_id,
            slot_start: slot.start(),
            local_date: slot.date(),
            local_time: slot.local_time(),
            time_zone: zone.name().to_owned(),
            status: Status::Confirmed,
            version: 1,
            rescheduled_from: None,
            expires_at: None,
        }
    }
}

impl From<&Booking> for View {
    fn from(booking: &Booking) -> Self {
        Self {
            booking_id: booking.id,
            practitioner_id: booking.practitioner_id,
            patient_id: booking.patient_id,
            slot_start: booking.slot_start,
            local_date: booking.local_date,
            local_time: slot::local_time(booking.local_hour),
            time_zone: booking.time_zone.clone(),
            status: booking.status,
            version: booking.version,
            rescheduled_from: booking.rescheduled_from,
            expires_at: booking.hold_expires_at,
        }
    }
}

/// A row of `patients`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Patient {
    pub id: Uuid,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub locale: Option<String>,
    pub channels: Vec<Channel>,
    pub version: i32,
}
