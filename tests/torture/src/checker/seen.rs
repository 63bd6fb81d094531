//! What was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::history::{Deed, Operation, Slot};
use crate::town::Area;

const EARTH_KM: f64 = 6_371.008_771_4;

#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub operations: Vec<Operation>,
    pub bookings: Vec<Booking>,
    /// Every change of a booking, as `booking_history` has it.
    pub history: Vec<Change>,
    /// Every state of each entry of the waitlist, in the order in which they were written.
    pub waits: Vec<Wait>,
    /// Where practitioners are, and what they do.
    pub places: BTreeMap<Uuid, Place>,
    /// The areas that deeds name by their number.
    pub areas: Vec<Area>,
    /// By guest: the tables and topics in which anything personal of theirs stands.
    pub traces: BTreeMap<String, BTreeSet<String>>,
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

/// A row of `booking_history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub booking: Uuid,
    pub version: i32,
    pub change: String,
    /// When its transaction began: microseconds, Unix.
    pub at_us: i64,
}

/// An entry of the waitlist from one moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub entry: Uuid,
    pub subject: String,
    /// Either of both.
    pub practitioner: Option<Uuid>,
    pub area: Option<Area>,
    pub from: Option<i64>,
    pub to: i64,
    /// `gone` is the last.
    pub status: String,
    pub booking: Option<Uuid>,
    /// When the statement began that brought it there, and shortly before it was committed:
    /// microseconds, Unix.
    pub began_us: i64,
    pub at_us: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
    pub specialty: String,
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

impl Seen {
    /// All erasures that may have been made, by subject.
    pub fn erasures(&self) -> HashMap<&str, Vec<&Operation>> {
        let mut erasures: HashMap<&str, Vec<&Operation>> = HashMap::new();
        for operation in &self.operations {
            if operation.deed == Deed::Erase && operation.may_have_happened() {
                let own = erasures.entry(&operation.subject).or_default();
                own.push(operation);
            }
        }
        erasures
    }
}

impl Profile {
    /// Whether the hour of an event's slot is one of them.
    pub fn offers(&self, facts: &Facts) -> bool {
        let hours = self.week.get(facts.weekday).copied().unwrap_or_default();
        self.active && hours & (1 << facts.hour) != 0
    }
}

impl Place {
    /// How far an area's edge is: negative inside. None: it is of another specialty.
    pub fn beyond_km(&self, area: &Area) -> Option<f64> {
        if self.specialty != area.specialty {
            return None;
        }
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let across = area.lat.to_radians().cos() * self.lat.to_radians().cos();
        let chord = half(area.lat, self.lat) + across * half(area.lon, self.lon);
        let distance = 2.0 * EARTH_KM * chord.sqrt().min(1.0).asin();
        Some(distance - area.radius_km)
    }
}
