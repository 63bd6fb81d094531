//! At no instant two live bookings of one slot, as far as clients can tell.
//!
//! A booking is certainly live from the answer that told of it until somebody began to give it back;
//! a hold until shortly before it runs out. Two such spans of one slot must not meet.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{Seen, Violation};
use crate::history::{Deed, Slot};

/// A hold lasts five minutes from an instant between the question and the answer.
const HOLD_US_MIN: u64 = 295_000_000;

#[derive(Clone, Copy)]
struct Span {
    booking: Uuid,
    from: u64,
    to: u64,
}

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut ends: HashMap<Uuid, u64> = HashMap::new();
    for operation in seen.operations.iter().filter(|one| one.may_have_happened()) {
        if let Some(booking) = operation.deed.frees() {
            let end = ends.entry(booking).or_insert(u64::MAX);
            *end = operation.invoked_us.min(*end);
        }
    }
    let slots: HashMap<Uuid, Slot> = seen.bookings.iter().map(|row| (row.id, row.slot)).collect();
    let mut spans: BTreeMap<Slot, Vec<Span>> = BTreeMap::new();
    for operation in &seen.operations {
        let Some(made) = operation.made() else {
            continue;
        };
        let (slot, to_at_most) = match operation.deed {
            Deed::Book { slot } | Deed::Move { to: slot, .. } => (slot, u64::MAX),
            Deed::Hold { slot } => (slot, operation.invoked_us + HOLD_US_MIN),
            Deed::Confirm { .. } => match slots.get(&made.booking) {
                Some(slot) => (*slot, u64::MAX),
                None => continue,
            },
            Deed::Cancel { .. } => continue,
        };
        let end = ends.get(&made.booking).copied().unwrap_or(u64::MAX);
        spans.entry(slot).or_default().push(Span {
            booking: made.booking,
            from: operation.completed_us,
            to: end.min(to_at_most),
        });
    }
    for (slot, mut spans) in spans {
        spans.retain(|span| span.from < span.to);
        spans.sort_by_key(|span| span.from);
        let mut longest: Option<Span> = None;
        for span in spans {
            if let Some(before) = longest
                && before.booking != span.booking
                && before.to > span.from
            {
                violations.push(Violation::TwoAtOnce {
                    slot,
                    bookings: (before.booking, span.booking),
                    at_us: span.from,
                });
            }
            longest = longest.filter(|before| before.to >= span.to).or(Some(span));
        }
    }
}
