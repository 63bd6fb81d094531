//! Whether a copy says what the database says.
//!
//! The copy is read first and the database after it, and they are held against each other only where
//! both are of one version: then any difference is a mistake. A copy of an older version waits for
//! events, which is none; one that goes on waiting for `BEHIND_SECONDS_MAX` is. A copy of a newer
//! version than the database's is one at once.

use serde::Serialize;

pub mod bitmap;
pub mod document;
pub mod next_slot;

/// How long a copy may wait for the events that it has not seen. Longer than a host's partitions are
/// without a host when it dies, and than the clock's own timers take.
pub const BEHIND_SECONDS_MAX: i64 = 300;

/// Practitioners that are looked at together.
pub const PAGE_MAX: u32 = 200;

/// What can differ from the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// The hash of days in Redis.
    Bitmap,
    /// The row of `next_slots`.
    NextSlot,
    /// The document that a search finds.
    Document,
}

impl Store {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::NextSlot => "next-slot",
            Self::Document => "document",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// A date, a field, a version.
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl Difference {
    pub fn new(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self {
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

/// What came of looking at one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// It is of an older version. If it is still so later on, this is what is wrong.
    Behind(Difference),
    /// One at least.
    Differs(Vec<Difference>),
}

impl Verdict {
    fn of(differences: Vec<Difference>, behind: Option<Difference>) -> Self {
        match (differences.is_empty(), behind) {
            (false, _) => Self::Differs(differences),
            (true, Some(behind)) => Self::Behind(behind),
            (true, None) => Self::Same,
        }
    }

    fn differs(difference: Difference) -> Self {
        Self::Differs(vec![difference])
    }

    /// What a copy that is behind is recognised by: it has not moved as long as this is the same.
    pub fn standing(&self) -> Option<String> {
        match self {
            Self::Behind(behind) => Some(format!("{} {}", behind.what, behind.found)),
            Self::Same | Self::Differs(_) => None,
        }
    }

    /// After it has been behind for too long.
    #[must_use]
    pub fn overdue(self) -> Self {
        match self {
            Self::Behind(behind) => Self::differs(behind),
            Self::Same | Self::Differs(_) => self,
        }
    }
}

/// How what is not there is told.
const NOTHING: &str = "nothing";

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}
