//! What a run can be guilty of.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "kebab-case")]
pub enum Violation {
    /// Neither an effect nor a dead letter.
    Lost {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// Two effects where one belongs.
    Twice {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// An effect after that of a later event of the key.
    OutOfOrder {
        event: Uuid,
        key: String,
        sequence: u64,
        after: u64,
    },
    /// A dead letter that could have been handled.
    GivenUp {
        event: Uuid,
        key: String,
        sequence: u64,
        attempts: u32,
        reason: String,
    },
    /// It belongs among the dead letters, and is not there.
    NotGivenUp {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// It lies among the dead letters, and had an effect all the same.
    EffectOfTheDead {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// Given up on before its time.
    TooFewAttempts {
        event: Uuid,
        planned: u32,
        found: u32,
    },
    /// Nobody published it, at least not so.
    Stranger {
        event: Uuid,
        place: String,
    },
    /// The effects of a key do not add up: how many, and their digest.
    Unequal {
        key: String,
        model: (i64, i64),
        found: (i64, i64),
    },
    LagLeft {
        topic: String,
        partition: u32,
        events: u64,
    },
    /// The group does not show all of its partitions.
    Partitions {
        expected: usize,
        found: usize,
    },
    Unpublished {
        events: u64,
    },
    /// Something did not happen in time.
    Overdue {
        what: String,
    },
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "lost: {key}/{sequence} ({event}) had no effect and is no dead letter"
                )
            }
            Self::Twice {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "twice: {key}/{sequence} ({event}) had its effect more than once"
                )
            }
            Self::OutOfOrder {
                event,
                key,
                sequence,
                after,
            } => {
                write!(
                    f,
                    "out of order: {key}/{sequence} ({event}) had its effect after {key}/{after}"
                )
            }
            Self::GivenUp {
                event,
                key,
                sequence,
                attempts,
                reason,
            } => write!(
                f,
                "given up: {key}/{sequence} ({event}) is a dead letter after {attempts} attempts: {reason}"
            ),
            Self::NotGivenUp {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "not given up: {key}/{sequence} ({event}) should be a dead letter"
                )
            }
            Self::EffectOfTheDead {
                event,
                key,
                sequence,
            } => {
                write!(f, "an effect of a dead letter: {key}/{sequence} ({event})")
            }
            Self::TooFewAttempts {
                event,
                planned,
                found,
            } => {
                write!(
                    f,
                    "too few attempts: {event} was given up on after {found} of {planned}"
                )
            }
            Self::Stranger { event, place } => {
                write!(
                    f,
                    "a stranger: {event} is among {place}, and nobody published it so"
                )
            }
            Self::Unequal { key, model, found } => write!(
                f,
                "unequal: the {} effects of {key} give {}; one after the other, {} give {}",
                found.0, found.1, model.0, model.1
            ),
            Self::LagLeft {
                topic,
                partition,
                events,
            } => {
                write!(f, "lag: {events} events are left in {topic}/{partition}")
            }
            Self::Partitions { expected, found } => {
                write!(f, "partitions: the group shows {found} of {expected}")
            }
            Self::Unpublished { events } => {
                write!(f, "unpublished: {events} events are in the outbox")
            }
            Self::Overdue { what } => write!(f, "overdue: {what}"),
        }
    }
}
