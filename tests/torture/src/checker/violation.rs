//! What a run can be guilty of.

mod words;

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use crate::history::Slot;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "kebab-case")]
pub enum Violation {
    /// Replayed in the order of the versions, a slot is taken while it is taken.
    DoubleBooked {
        slot: Slot,
        bookings: (Uuid, Uuid),
        version: u64,
    },
    /// Two live rows of one slot.
    TwoRows { slot: Slot, bookings: (Uuid, Uuid) },
    /// Two clients had been told, and neither had begun to give it back.
    TwoAtOnce {
        slot: Slot,
        bookings: (Uuid, Uuid),
        at_us: u64,
    },
    /// Acknowledged, and not so.
    Lost {
        deed: &'static str,
        booking: Uuid,
        why: String,
    },
    /// Refused, and there all the same.
    RefusedButThere { deed: &'static str, booking: Uuid },
    /// There, and nobody asked for it.
    Unasked {
        booking: Uuid,
        subject: String,
        slot: Slot,
    },
    /// It was changed in a way that nobody asked for.
    Unexplained {
        booking: Uuid,
        change: String,
        version: i32,
    },
    /// One key, two answers.
    AnsweredTwice { key: String, booking: Uuid },
    /// Acknowledged, and the receipt is missing or another booking's.
    NoReceipt { key: String, booking: Uuid },
    /// Two different changes of one version were acknowledged.
    ChangedTwice {
        booking: Uuid,
        version: i32,
        deeds: (&'static str, &'static str),
    },
    /// A stream lacks a version.
    Gap {
        practitioner: Uuid,
        stream: &'static str,
        version: u64,
    },
    /// A stream has a version twice, or beyond its end.
    OddVersion {
        practitioner: Uuid,
        stream: &'static str,
        version: u64,
        times: u32,
    },
    /// A commit without its event, or with two.
    EventsOfOneCommit {
        booking: Uuid,
        version: i32,
        times: u32,
    },
    /// Booked for an hour that was not offered any more at that version.
    OutsideHours {
        booking: Uuid,
        slot: Slot,
        version: u64,
        profile_since: u64,
    },
    /// The events leave a booking live that is not, or the other way round.
    EventsSayOtherwise {
        booking: Uuid,
        slot: Slot,
        is_live: bool,
    },
    /// Saved, and in no topic.
    Unpublished { event: Uuid, kind: String },
    /// In a topic, and never saved so.
    Stranger { event: Uuid, topic: String },
    /// In a topic after a later one of its key.
    OutOfOrder {
        practitioner: Uuid,
        topic: String,
        version: u64,
        after: u64,
    },
    /// The bitmap differs from the schedule minus the live bookings.
    Bitmap {
        practitioner: Uuid,
        source: String,
        wrongly_free: Vec<i64>,
        wrongly_booked: Vec<i64>,
    },
    /// The search document has another next free slot.
    Document {
        practitioner: Uuid,
        next: Option<i64>,
        found: Option<i64>,
    },
    /// Somebody was not told.
    Untold {
        event: Uuid,
        kind: String,
        audience: &'static str,
        status: String,
    },
    /// The ledger says sent, and no mail came.
    NeverSent { event: String, audience: String },
    /// More mails than the ledger has claims.
    ToldTwice {
        event: String,
        audience: String,
        copies: u32,
        attempts: u32,
    },
    /// A mail that no entry of the ledger knows.
    StrangeMail { message: String },
    /// A change of a booking that is not in its history, or twice.
    Unrecorded {
        booking: Uuid,
        version: i32,
        times: u32,
    },
    /// Any practitioner was asked for, and it is none of those.
    Astray { booking: Uuid, why: String },
    /// Somebody waits who did not ask for it.
    UnaskedEntry { entry: Uuid, subject: String },
    /// An entry of the waitlist is not what its patient was told.
    LostEntry { entry: Uuid, why: String },
    /// An offer that is not what the entry is for.
    OddOffer {
        entry: Uuid,
        booking: Uuid,
        why: String,
    },
    /// An entry had an offer, and got another one.
    OfferedTwice { entry: Uuid, bookings: (Uuid, Uuid) },
    /// A slot was offered while it was offered.
    TwoOffers { slot: Slot, bookings: (Uuid, Uuid) },
    /// A slot was offered to somebody who had let it go since they wait.
    OfferedAgain { entry: Uuid, slot: Slot },
    /// Somebody else waited for the same, and for longer.
    Unfair {
        slot: Slot,
        entry: Uuid,
        passed_over: Uuid,
    },
    /// A slot came free, and is free, and somebody waits for it.
    Withheld { slot: Slot, entry: Uuid },
    /// Somebody was told whom it does not concern.
    Overheard {
        event: Uuid,
        kind: String,
        audience: &'static str,
    },
    /// A booking of somebody who is erased.
    LivesOn { subject: String, booking: Uuid },
    /// An entry of somebody who is erased.
    StillWaits { subject: String, entry: Uuid },
    /// Something personal of somebody who is erased.
    Remains {
        subject: String,
        places: BTreeSet<String>,
    },
    /// Dead letters: no event may be given up.
    GivenUp { events: usize },
    /// Something did not happen in time.
    Overdue { what: String },
}

impl Violation {
    /// As the report counts them.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DoubleBooked { .. } => "double booked",
            Self::TwoRows { .. } => "two live rows",
            Self::TwoAtOnce { .. } => "two at once",
            Self::Lost { .. } => "lost",
            Self::RefusedButThere { .. } => "refused but there",
            Self::Unasked { .. } => "unasked",
            Self::Unexplained { .. } => "unexplained",
            Self::AnsweredTwice { .. } => "answered twice",
            Self::NoReceipt { .. } => "no receipt",
            Self::ChangedTwice { .. } => "changed twice",
            Self::Gap { .. } => "gap",
            Self::OddVersion { .. } => "odd version",
            Self::EventsOfOneCommit { .. } => "events of one commit",
            Self::OutsideHours { .. } => "outside hours",
            Self::EventsSayOtherwise { .. } => "events say otherwise",
            Self::Unpublished { .. } => "unpublished",
            Self::Stranger { .. } => "a stranger",
            Self::OutOfOrder { .. } => "out of order",
            Self::Bitmap { .. } => "bitmap",
            Self::Document { .. } => "search document",
            Self::Untold { .. } => "untold",
            Self::NeverSent { .. } => "never sent",
            Self::ToldTwice { .. } => "told twice",
            Self::StrangeMail { .. } => "a strange mail",
            Self::Unrecorded { .. } => "unrecorded",
            Self::Astray { .. } => "astray",
            Self::UnaskedEntry { .. } => "an unasked entry",
            Self::LostEntry { .. } => "a lost entry",
            Self::OddOffer { .. } => "an odd offer",
            Self::OfferedTwice { .. } => "offered twice",
            Self::TwoOffers { .. } => "two offers",
            Self::OfferedAgain { .. } => "offered again",
            Self::Unfair { .. } => "unfair",
            Self::Withheld { .. } => "withheld",
            Self::Overheard { .. } => "overheard",
            Self::LivesOn { .. } => "lives on",
            Self::StillWaits { .. } => "still waits",
            Self::Remains { .. } => "remains",
            Self::GivenUp { .. } => "given up",
            Self::Overdue { .. } => "overdue",
        }
    }
}
