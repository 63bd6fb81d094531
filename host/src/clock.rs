//! The one home of time and of random ids in the host.

use chrono::{DateTime, Utc};
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "this is the clock's home")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A fresh id, ordered by time (RFC 9562, version 7).
#[expect(clippy::disallowed_methods, reason = "this is the ids' home")]
pub fn id() -> Uuid {
    Uuid::now_v7()
}
