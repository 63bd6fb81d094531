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
    let ends = ends(seen);
    let erasures = seen.erasures();
    let mut spans: BTreeMap<Slot, Vec<Span>> = BTreeMap::new();
    for operation in &seen.operations {
        let Some(made) = operation.made() else {
            continue;
        };
        let to_at_most = match operation.deed {
            Deed::Book { .. } | Deed::BookAny { .. } | Deed::Move { .. } | Deed::Confirm { .. } => {
                u64::MAX
            }
            Deed::Hold { .. } => operation.invoked_us + HOLD_US_MIN,
            Deed::Heartbeat { .. }
            | Deed::Release { .. }
            | Deed::LetExpire { .. }
            | Deed::Cancel { .. }
            | Deed::Join { .. }
            | Deed::Leave { .. }
            | Deed::Erase => continue,
        };
        let end = ends.get(&made.booking).copied().unwrap_or(u64::MAX);
        let erased = erasures.get(&*operation.subject).into_iter().flatten();
        let erased = erased
            .filter(|erasure| erasure.completed_us >= operation.invoked_us)
            .map(|erasure| erasure.invoked_us)
            .min();
        spans.entry(made.slot).or_default().push(Span {
            booking: made.booking,
            from: operation.completed_us,
            to: end.min(to_at_most).min(erased.unwrap_or(u64::MAX)),
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

/// By booking: when somebody first began to give it back, or its entry of the waitlist with it.
fn ends(seen: &Seen) -> HashMap<Uuid, u64> {
    let mut offers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for wait in &seen.waits {
        let own = offers.entry(wait.entry).or_default();
        own.extend(wait.booking);
    }
    let mut ends: HashMap<Uuid, u64> = HashMap::new();
    for operation in seen.operations.iter().filter(|one| one.may_have_happened()) {
        let left = operation.deed.leaves().and_then(|entry| offers.get(&entry));
        let with_entry = left.into_iter().flatten().copied();
        for booking in operation.deed.frees().into_iter().chain(with_entry) {
            let end = ends.entry(booking).or_insert(u64::MAX);
            *end = operation.invoked_us.min(*end);
        }
    }
    ends
}
