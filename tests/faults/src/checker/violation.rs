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
    /// It was to be accepted when it was redriven, and had no effect.
    NotRedriven {
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
    /// It was handled, and what its handler published is not there.
    NotFollowed {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// Two events came of it, with two ids.
    FollowedTwice {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// Something was published for it, and it had no effect.
    FollowedForNothing {
        event: Uuid,
        key: String,
        sequence: u64,
    },
    /// What a handler published got out, although it failed.
    ReleasedByAFailure {
        event: Uuid,
        key: String,
        sequence: u64,
        attempt: u32,
    },
    /// What was published for it came out after that of a later event of the key.
    FollowUpOutOfOrder {
        event: Uuid,
        key: String,
        sequence: u64,
        after: u64,
    },
    /// It was in the range that was to be handled again, and was not.
    NotReplayed {
        event: Uuid,
        partition: u32,
        offset: u64,
    },
    /// More was delivered again than the disturbances explain.
    Redelivered {
        events: u64,
        events_max: u64,
    },
    RedeliveredTooOften {
        event: Uuid,
        times: u64,
        times_max: u64,
    },
    /// It was planned that handlers do so, and none did.
    NotInjected {
        step: String,
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
            Self::NotRedriven {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "not redriven: {key}/{sequence} ({event}) was to be accepted then, and had no effect"
                )
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
            Self::NotFollowed {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "not followed: nothing was published for {key}/{sequence} ({event})"
                )
            }
            Self::FollowedTwice {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "followed twice: two events were published for {key}/{sequence} ({event})"
                )
            }
            Self::FollowedForNothing {
                event,
                key,
                sequence,
            } => {
                write!(
                    f,
                    "followed for nothing: {key}/{sequence} ({event}) had no effect, and one was published for it"
                )
            }
            Self::ReleasedByAFailure {
                event,
                key,
                sequence,
                attempt,
            } => {
                write!(
                    f,
                    "released by a failure: try {attempt} of {key}/{sequence} ({event}) failed, and what it published is there"
                )
            }
            Self::FollowUpOutOfOrder {
                event,
                key,
                sequence,
                after,
            } => {
                write!(
                    f,
                    "follow-ups out of order: that of {key}/{sequence} ({event}) comes after that of {key}/{after}"
                )
            }
            Self::NotReplayed {
                event,
                partition,
                offset,
            } => {
                write!(
                    f,
                    "not replayed: {event}, at {offset} of partition {partition}, was not handled again"
                )
            }
            Self::Redelivered { events, events_max } => {
                write!(
                    f,
                    "delivered again: {events} times an event that had had its effect, {events_max} at most"
                )
            }
            Self::RedeliveredTooOften {
                event,
                times,
                times_max,
            } => {
                write!(
                    f,
                    "delivered too often: {event} came again {times} times, {times_max} at most"
                )
            }
            Self::NotInjected { step } => {
                write!(
                    f,
                    "not injected: no handler did {step}, though it was planned"
                )
            }
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
