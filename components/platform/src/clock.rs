//! The one home of time, ids and chance in a component.

use jiff::Timestamp;
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "this is their home")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Lets time pass; others run meanwhile.
pub async fn pause(milliseconds: u64) {
    const NANOSECONDS: u64 = 1_000_000;
    spin_sdk::wasip3::clocks::monotonic_clock::wait_for(milliseconds * NANOSECONDS).await;
}

/// A new id: UUID v7, so that ids sort by the time they were made.
#[expect(clippy::disallowed_methods, reason = "this is their home")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Any number.
pub fn chance() -> u64 {
    spin_sdk::wasip3::random::random::get_random_u64()
}
