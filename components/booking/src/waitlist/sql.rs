//! The statements about those who wait.
//!
//! Locks: the patient, the waitlist entries (by time), the bookings, the practitioners. Whatever
//! changes an entry because of an event locks nothing else.

/// As many entries of the patient wait as may be.
pub const PER_PATIENT: &str = "waitlist_per_patient";

/// $1 id, $2 patient, $3 practitioner or null; $4 specialty, $5 latitude, $6 longitude, $7 radius
/// (km), or nulls; $8 from (seconds) or null, $9 to, $10 how many entries may wait.
/// No row: it is there already, or there is no such practitioner.
pub const ADD: &str = include_str!("sql/add.sql");

/// $1 patient, $2 practitioner or null; $3 to $6 the area or nulls; $7 from or null, $8 to.
/// One row where the patient waits for the very same already.
pub const SAME: &str = include_str!("sql/same.sql");

/// $1 the patient's subject, $2 how many. The oldest first; with what is offered or was booked.
pub const LIST: &str = include_str!("sql/list.sql");

/// $1 the entry, $2 the patient's subject. One row: the hold that was offered, or null. No row: there
/// is no such entry of theirs.
pub const WITHDRAW: &str = include_str!("sql/withdraw.sql");

/// $1 a booking that was confirmed: if it was an offer, its entry is fulfilled.
pub const FULFIL: &str = include_str!("sql/fulfil.sql");

/// $1 a booking that is over, $2 its practitioner, $3 its slot (seconds). If it was an offer, its
/// entry waits on. One row: whether anybody waits for the slot.
pub fn release() -> String {
    RELEASE.replace("{matching}", MATCHING)
}
const RELEASE: &str = include_str!("sql/release.sql");

/// Holds a slot for the first who waits for one like it. $1 a new id, $2 practitioner, $3 slot start
/// (seconds), $4 local date, $5 local hour, $6 zone, $7 seconds of the hold, $8 calendar uid,
/// $9 the profile version that was decided from, $10 the trace or null. No row: nobody waits for it, or it is taken.
pub fn offer() -> String {
    OFFER.replace("{matching}", MATCHING)
}
const OFFER: &str = include_str!("sql/offer.sql");

/// Those who wait for the slot ($2 practitioner, $3 start), if it is free.
const MATCHING: &str = include_str!("sql/matching.sql");

/// $1 how many at most: entries whose time has been over for a week.
pub const PRUNE: &str = include_str!("sql/prune.sql");
