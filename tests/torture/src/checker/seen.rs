//! What was read.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::history::{Operation, Slot};

#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub operations: Vec<Operation>,
    pub bookings: Vec<Booking>,
    pub receipts: Vec<Receipt>,
    /// The outbox.
    pub saved: Vec<Event>,
    /// The topics, each partition from its beginning to its end.
    pub published: Vec<Event>,
    pub practitioners: Vec<Standing>,
    /// Every profile that a practitioner has had, from which version on.
    pub profiles: Vec<Profile>,
    /// By practitioner: the starts of the slots that the schedule has.
    pub offered: BTreeMap<Uuid, BTreeSet<i64>>,
    /// By practitioner: the starts of the slots that the bitmap has as free; and who answered.
    pub free: BTreeMap<Uuid, (BTreeSet<i64>, String)>,
    /// By practitioner: the next free slot in the search document. Missing: not found.
    pub found: BTreeMap<Uuid, Option<i64>>,
    pub deliveries: Vec<Delivery>,
    pub mails: Vec<Mail>,
    pub dead_letters: usize,
    /// What did not happen in time, and hosts that ended by themselves.
    pub overdue: Vec<String>,
}

/// A row of `bookings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    pub id: Uuid,
    pub subject: String,
    pub slot: Slot,
    pub status: String,
    pub version: i32,
    pub rescheduled_from: Option<Uuid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub subject: String,
    pub key: String,
    pub booking: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: Uuid,
    pub topic: String,
    /// The practitioner.
    pub key: Uuid,
    pub kind: String,
    pub version: u64,
    /// Only of `booking-events`.
    pub facts: Option<Facts>,
}

/// What an event says of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub booking: Uuid,
    pub booking_version: i32,
    pub slot: Slot,
    pub weekday: usize,
    pub hour: u8,
    /// The booking and the slot that it had before it was rescheduled.
    pub previous: Option<(Uuid, Slot)>,
}

/// How far a practitioner's streams are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub id: Uuid,
    pub version: u64,
    /// The version of the next free slot that was announced last.
    pub announced: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub practitioner: Uuid,
    pub version: u64,
    pub active: bool,
    /// Monday first; bit h is the hour h.
    pub week: Vec<i32>,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub event: String,
    pub audience: String,
    pub status: String,
    pub attempts: u32,
    /// A mail's Message-ID.
    pub message: Option<String>,
}

/// A mail as the mail server took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub message: String,
}

impl Booking {
    pub fn is_live(&self) -> bool {
        matches!(self.status.as_str(), "held" | "confirmed")
    }
}
