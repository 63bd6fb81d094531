//! What Praxis decides: pure functions over plain values.
//!
//! Nothing here reads a clock, makes an id or talks to anything; time and ids are parameters.
//! The components load what a decision needs, ask, and save what it says.

pub mod address;
pub mod anyone;
pub mod area;
pub mod audit;
pub mod bitmap;
pub mod booking;
pub mod calendar;
pub mod dates;
pub mod elsewhere;
pub mod event;
pub mod explain;
pub mod hold;
pub mod idempotency;
pub mod invitation;
pub mod link;
pub mod locale;
pub mod mask;
pub mod notice;
pub mod patience;
pub mod patient;
pub mod practitioner;
pub mod reminder;
pub mod schedule;
pub mod search;
pub mod slot;
pub mod sqlstate;
pub mod template;
pub mod tenant;
pub mod terms;
pub mod waitlist;
pub mod zone;

/// What is wrong with one field of an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, or `/query/NAME`, `/header/NAME`, `/path/NAME`.
    pub pointer: String,
    /// What: for people, lowercase.
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}
