//! What a run can be guilty of.

use std::fmt::{self, Display, Formatter};

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
    /// It ended in a way that nobody asked for.
    Unexplained {
        booking: Uuid,
        status: String,
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
            Self::GivenUp { .. } => "given up",
            Self::Overdue { .. } => "overdue",
        }
    }
}

impl Display for Slot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let start = jiff::Timestamp::from_second(self.start).map_err(|_| fmt::Error)?;
        write!(f, "{start} of {}", self.practitioner)
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::DoubleBooked {
                slot,
                bookings: (first, second),
                version,
            } => write!(
                f,
                "{slot} was {first}'s when {second} took it, at version {version}"
            ),
            Self::TwoRows {
                slot,
                bookings: (first, second),
            } => write!(f, "{slot} is {first}'s and {second}'s"),
            Self::TwoAtOnce {
                slot,
                bookings: (first, second),
                at_us,
            } => write!(
                f,
                "{slot} was {first}'s for one client and {second}'s for another, {at_us} µs after the start"
            ),
            Self::Lost { deed, booking, why } => {
                write!(f, "{deed} of {booking} was acknowledged: {why}")
            }
            Self::RefusedButThere { deed, booking } => {
                write!(f, "a {deed} was refused, and {booking} is there")
            }
            Self::Unasked {
                booking,
                subject,
                slot,
            } => write!(f, "{booking} of {subject} for {slot}"),
            Self::Unexplained {
                booking,
                status,
                version,
            } => write!(
                f,
                "{booking} is {status} at version {version}, and nobody asked for that"
            ),
            Self::AnsweredTwice { key, booking } => {
                write!(
                    f,
                    "the key {key} was answered with {booking} and with another answer"
                )
            }
            Self::NoReceipt { key, booking } => {
                write!(
                    f,
                    "the key {key} was answered with {booking}, and no receipt says so"
                )
            }
            Self::ChangedTwice {
                booking,
                version,
                deeds: (first, second),
            } => write!(
                f,
                "{first} and {second} of {booking} at version {version} were both acknowledged"
            ),
            Self::Gap {
                practitioner,
                stream,
                version,
            } => write!(f, "{stream} of {practitioner} has no version {version}"),
            Self::OddVersion {
                practitioner,
                stream,
                version,
                times,
            } => write!(
                f,
                "{stream} of {practitioner} has version {version}, {times} times"
            ),
            Self::EventsOfOneCommit {
                booking,
                version,
                times,
            } => write!(f, "version {version} of {booking} has {times}"),
            Self::OutsideHours {
                booking,
                slot,
                version,
                profile_since,
            } => write!(
                f,
                "{booking} for {slot} at version {version}; since version {profile_since} it is not offered"
            ),
            Self::EventsSayOtherwise {
                booking,
                slot,
                is_live,
            } => {
                let not = if *is_live { "" } else { "not " };
                write!(f, "{booking} for {slot} is {not}live")
            }
            Self::Unpublished { event, kind } => write!(f, "{kind} {event} is in no topic"),
            Self::Stranger { event, topic } => write!(f, "{event} in {topic}"),
            Self::OutOfOrder {
                practitioner,
                topic,
                version,
                after,
            } => write!(
                f,
                "{topic} of {practitioner} has version {version} after {after}"
            ),
            Self::Bitmap {
                practitioner,
                source,
                wrongly_free,
                wrongly_booked,
            } => write!(
                f,
                "of {practitioner}, from the {source}: wrongly free {wrongly_free:?}, wrongly booked {wrongly_booked:?}"
            ),
            Self::Document {
                practitioner,
                next,
                found,
            } => write!(
                f,
                "of {practitioner} has {found:?} as the next slot, it is {next:?}"
            ),
            Self::Untold {
                event,
                kind,
                audience,
                status,
            } => write!(f, "the {audience} of {kind} {event}: {status}"),
            Self::NeverSent { event, audience } => write!(f, "to the {audience} of {event}"),
            Self::ToldTwice {
                event,
                audience,
                copies,
                attempts,
            } => write!(
                f,
                "the {audience} of {event}: {copies} mails, {attempts} claims"
            ),
            Self::StrangeMail { message } => f.write_str(message),
            Self::GivenUp { events } => write!(f, "{events} events are dead letters"),
            Self::Overdue { what } => f.write_str(what),
        }
    }
}
