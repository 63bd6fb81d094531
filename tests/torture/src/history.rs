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
    Hold {
        slot: Slot,
    },
    Confirm {
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
}

/// A deed, sent as often as it took to hear of it.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    /// Whose token it was sent with.
    pub subject: String,
    pub deed: Deed,
    /// The `Idempotency-Key`; a hold and a cancel have none.
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
    Done(Made),
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
pub struct Made {
    pub booking: Uuid,
    pub version: i32,
    pub status: String,
}

impl Deed {
    /// The names of all, as the report has them.
    pub const NAMES: [&'static str; 5] = ["book", "hold", "confirm", "cancel", "reschedule"];

    pub fn name(&self) -> &'static str {
        match self {
            Self::Book { .. } => "book",
            Self::Hold { .. } => "hold",
            Self::Confirm { .. } => "confirm",
            Self::Cancel { .. } => "cancel",
            Self::Move { .. } => "reschedule",
        }
    }

    /// The booking that it would change, and from which version. A confirmation is of the first.
    pub fn changes(&self) -> Option<(Uuid, i32)> {
        match *self {
            Self::Book { .. } | Self::Hold { .. } => None,
            Self::Confirm { hold } => Some((hold, 1)),
            Self::Cancel { booking, version }
            | Self::Move {
                booking, version, ..
            } => Some((booking, version)),
        }
    }

    /// The slot that it would make a booking for.
    pub fn takes(&self) -> Option<Slot> {
        match *self {
            Self::Book { slot } | Self::Hold { slot } | Self::Move { to: slot, .. } => Some(slot),
            Self::Confirm { .. } | Self::Cancel { .. } => None,
        }
    }

    /// Whether it gives a slot back.
    pub fn frees(&self) -> Option<Uuid> {
        match *self {
            Self::Cancel { booking, .. } | Self::Move { booking, .. } => Some(booking),
            Self::Book { .. } | Self::Hold { .. } | Self::Confirm { .. } => None,
        }
    }
}

impl Operation {
    pub fn made(&self) -> Option<&Made> {
        match &self.outcome {
            Outcome::Done(made) => Some(made),
            Outcome::Refused { .. } | Outcome::Unknown => None,
        }
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
