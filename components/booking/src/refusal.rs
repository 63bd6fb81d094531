//! Why a request about a booking is refused, as the HTTP contract names it.

use jiff::Timestamp;
use praxis_domain::booking::{HOLDS_PER_PATIENT_MAX, NotOffered, Refused};
use praxis_domain::calendar::ALTERNATIVES_MAX;
use praxis_domain::slot::Slot;
use praxis_domain::waitlist::ENTRIES_PER_PATIENT_MAX;
use praxis_platform::problem::Problem;
use praxis_platform::snapshot::Snapshot;
use serde_json::{Value, json};
use spin_sdk::http::StatusCode;

pub fn not_offered(reason: NotOffered) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "/problems/slot-not-offered",
        "The slot is not offered",
        reason.to_string(),
    )
    .with("reason", reason.reason())
    .at("/slot_start")
}

/// Somebody has the slot: says which are free instead. The snapshot has every bookable day.
pub fn taken(snapshot: &Snapshot, now: Timestamp) -> Problem {
    let free = snapshot.next_free(now, ALTERNATIVES_MAX);
    let alternatives: Vec<Value> = free.iter().map(alternative).collect();
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/slot-taken",
        "The slot is taken",
        "somebody else has it: choose another",
    )
    .with("alternatives", alternatives)
}

fn alternative(slot: &Slot) -> Value {
    json!({
        "slot_start": slot.start(),
        "local_date": slot.date(),
        "local_time": slot.local_time(),
    })
}

pub fn refused(reason: Refused) -> Problem {
    let conflict =
        |kind, title| Problem::new(StatusCode::CONFLICT, kind, title, reason.to_string());
    match reason {
        Refused::NotActive(status) => conflict(
            "/problems/booking-not-active",
            "The booking is not active any more",
        )
        .with("booking_status", status.name()),
        Refused::Begun => conflict("/problems/booking-begun", "The appointment has begun"),
        Refused::NotConfirmed => conflict(
            "/problems/booking-not-confirmed",
            "The booking is only held",
        ),
        Refused::NotHeld(status) => conflict("/problems/not-held", "It is no hold any more")
            .with("booking_status", status.name()),
        Refused::HoldExpired => conflict("/problems/hold-expired", "The hold has run out"),
        Refused::VersionConflict(current) => Problem::version_conflict(current.into()),
        Refused::SameSlot => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "/problems/same-slot",
            "The booking is there already",
            reason.to_string(),
        )
        .at("/slot_start"),
    }
}

pub fn too_many_holds() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "/problems/too-many-holds",
        "Too many slots are held",
        format!(
            "{HOLDS_PER_PATIENT_MAX} at a time: book one, give one back, or wait until one runs out"
        ),
    )
}

/// The token is from before an erasure.
pub fn erased() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "/problems/patient-erased",
        "The person was erased",
        "you were erased after this token was issued: sign in again to begin anew",
    )
}

/// Of any practitioner.
pub fn none_free() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/none-free",
        "Nothing is free",
        "nobody of the specialty has a free slot there in that time: search wider, or wait for one",
    )
}

pub fn too_many_entries() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "/problems/too-many-waiting",
        "Too many entries wait",
        format!(
            "{ENTRIES_PER_PATIENT_MAX} at a time: withdraw one, or wait until its time is over"
        ),
    )
}

pub fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "/problems/idempotency-key-reused",
        "The Idempotency-Key was used for another request",
        "take a new key for each new request",
    )
}
