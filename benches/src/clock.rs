//! The machine's clock, which components see, too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where benches ask what time it is"
)]
pub fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("no clock here is set before 1970")
}
