//! What clients asked for and what they were told, with times of one clock.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

/// An hour of a practitioner, by its first second (Unix).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Slot {
    pub practitioner: Uuid,
    pub start: i64,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    Book {
        slot: Slot,
    },
    /// Any practitioner of an area, by its number.
    BookAny {
        area: usize,
    },
    Hold {
        slot: Slot,
    },
    Confirm {
        hold: Uuid,
    },
    Heartbeat {
        hold: Uuid,
    },
    /// Gives a hold back.
    Release {
        hold: Uuid,
    },
    /// Not asked of a host: the hold's time is cut short in the database.
    LetExpire {
        hold: Uuid,
    },
    Cancel {
        booking: Uuid,
        version: i32,
    },
    Move {
        booking: Uuid,
        version: i32,
        to: Slot,
    },
    /// The waitlist.
    Join {
        wish: Wish,
    },
    Leave {
        entry: Uuid,
    },
    /// The person is to be forgotten.
    Erase,
}

/// What a patient waits for: a slot that begins in `[from, to)`, seconds both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Wish {
    pub whom: Whom,
    pub from: Option<i64>,
    pub to: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    Practitioner(Uuid),
    /// By its number.
    Area(usize),
}

/// A deed, sent as often as it took to hear of it.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    /// Whose token it was sent with.
    pub subject: String,
    pub deed: Deed,
    /// The `Idempotency-Key`; only what makes a booking has one.
    pub key: Option<String>,
    /// Since the beginning of the run: before the first try was sent, after the last one was done.
    pub invoked_us: u64,
    pub completed_us: u64,
    pub tries: u32,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done(Told),
    /// By the only try that can have been read.
    Refused {
        status: u16,
        problem: String,
    },
    /// At least one try has no answer that says whether it took effect.
    Unknown,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    Booking(Made),
    /// An entry of the waitlist.
    Entry(Uuid),
    /// That it is done.
    Nothing,
}

/// A booking, as an answer has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    pub booking: Uuid,
    pub version: i32,
    pub status: String,
    pub slot: Slot,
}

impl Deed {
    /// The names of all, as the report has them.
    pub const NAMES: [&'static str; 12] = [
        "book",
        "book any",
        "hold",
        "confirm",
        "heartbeat",
        "release",
        "let expire",
        "cancel",
        "reschedule",
        "join",
        "leave",
        "erase",
    ];

    pub fn name(&self) -> &'static str {
        match self {
            Self::Book { .. } => "book",
            Self::BookAny { .. } => "book any",
            Self::Hold { .. } => "hold",
            Self::Confirm { .. } => "confirm",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Release { .. } => "release",
            Self::LetExpire { .. } => "let expire",
            Self::Cancel { .. } => "cancel",
            Self::Move { .. } => "reschedule",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Erase => "erase",
        }
    }

    /// Whether it is sent with an `Idempotency-Key`.
    pub fn has_key(&self) -> bool {
        match self {
            Self::Book { .. } | Self::BookAny { .. } | Self::Confirm { .. } | Self::Move { .. } => {
                true
            }
            Self::Hold { .. }
            | Self::Heartbeat { .. }
            | Self::Release { .. }
            | Self::LetExpire { .. }
            | Self::Cancel { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Erase => false,
        }
    }

    /// The slot that it would make a booking for, where it names one.
    pub fn takes(&self) -> Option<Slot> {
        match *self {
            Self::Book { slot } | Self::Hold { slot } | Self::Move { to: slot, .. } => Some(slot),
            Self::BookAny { .. }
            | Self::Confirm { .. }
            | Self::Heartbeat { .. }
            | Self::Release { .. }
            | Self::LetExpire { .. }
            | Self::Cancel { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Erase => None,
        }
    }

    /// Whether it makes a booking, or a hold.
    pub fn makes_one(&self) -> bool {
        self.takes().is_some() || matches!(self, Self::BookAny { .. })
    }

    /// The entry of the waitlist that it ends.
    pub fn leaves(&self) -> Option<Uuid> {
        match *self {
            Self::Leave { entry } => Some(entry),
            Self::Book { .. }
            | Self::BookAny { .. }
            | Self::Hold { .. }
            | Self::Confirm { .. }
            | Self::Heartbeat { .. }
            | Self::Release { .. }
            | Self::LetExpire { .. }
            | Self::Cancel { .. }
            | Self::Move { .. }
            | Self::Join { .. }
            | Self::Erase => None,
        }
    }

    /// The booking whose slot it gives back.
    pub fn frees(&self) -> Option<Uuid> {
        match *self {
            Self::Cancel { booking, .. } | Self::Move { booking, .. } => Some(booking),
            Self::Release { hold } | Self::LetExpire { hold } => Some(hold),
            Self::Book { .. }
            | Self::BookAny { .. }
            | Self::Hold { .. }
            | Self::Confirm { .. }
            | Self::Heartbeat { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Erase => None,
        }
    }
}

impl Operation {
    pub fn made(&self) -> Option<&Made> {
        match &self.outcome {
            Outcome::Done(Told::Booking(made)) => Some(made),
            Outcome::Done(Told::Entry(_) | Told::Nothing)
            | Outcome::Refused { .. }
            | Outcome::Unknown => None,
        }
    }

    /// The booking and the version of it that it made, if it was acknowledged and made one. Two
    /// different requests can't have made the same.
    pub fn changed(&self) -> Option<(Uuid, i32)> {
        let made = self.made()?;
        match self.deed {
            Deed::Move {
                booking, version, ..
            } => Some((booking, version + 1)),
            Deed::Confirm { .. } | Deed::Cancel { .. } => Some((made.booking, made.version)),
            Deed::Book { .. }
            | Deed::BookAny { .. }
            | Deed::Hold { .. }
            // One that adds next to nothing changes nothing.
            | Deed::Heartbeat { .. }
            | Deed::Release { .. }
            | Deed::LetExpire { .. }
            | Deed::Join { .. }
            | Deed::Leave { .. }
            | Deed::Erase => None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done(_))
    }

    /// Whether it was under way while the other was.
    pub fn meets(&self, other: &Self) -> bool {
        self.invoked_us <= other.completed_us && other.invoked_us <= self.completed_us
    }

    /// Whether it took effect for all that is known.
    pub fn may_have_happened(&self) -> bool {
        match self.outcome {
            Outcome::Done(_) | Outcome::Unknown => true,
            Outcome::Refused { .. } => false,
        }
    }
}

/// The history, while it is made. All clones are one.
#[derive(Clone)]
pub struct Recorder {
    began: Instant,
    operations: Arc<Mutex<Vec<Operation>>>,
}

impl Recorder {
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            operations: Arc::default(),
        }
    }

    /// Microseconds since the beginning.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub fn record(&self, operation: Operation) {
        self.operations().push(operation);
    }

    pub fn count(&self) -> usize {
        self.operations().len()
    }

    pub fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut self.operations())
    }

    fn operations(&self) -> std::sync::MutexGuard<'_, Vec<Operation>> {
        self.operations
            .lock()
            .expect("nobody panics while it holds the history")
    }
}
