//! Whoever is erased leaves nothing: no booking to come, no entry of the waitlist, nothing personal.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Seen, Violation, Wait};
use crate::history::{Deed, Operation};

/// Says how many were erased for good.
pub fn check(seen: &Seen, violations: &mut Vec<Violation>) -> usize {
    let erased = erased(seen);
    for row in seen.bookings.iter().filter(|row| row.is_live()) {
        if erased.contains(&*row.subject) {
            violations.push(Violation::LivesOn {
                subject: row.subject.clone(),
                booking: row.id,
            });
        }
    }
    let mut last: HashMap<Uuid, &Wait> = HashMap::new();
    for wait in &seen.waits {
        last.insert(wait.entry, wait);
    }
    for wait in last.values().filter(|wait| wait.status != "gone") {
        if erased.contains(&*wait.subject) {
            violations.push(Violation::StillWaits {
                subject: wait.subject.clone(),
                entry: wait.entry,
            });
        }
    }
    for subject in &erased {
        if let Some(places) = seen.traces.get(*subject) {
            violations.push(Violation::Remains {
                subject: (*subject).to_owned(),
                places: places.clone(),
            });
        }
    }
    erased.len()
}

/// Whose last word was an erasure that was acknowledged: after it nobody acted for them.
fn erased(seen: &Seen) -> HashSet<&str> {
    let mut last: HashMap<&str, &Operation> = HashMap::new();
    for operation in &seen.operations {
        let last = last.entry(&operation.subject).or_insert(operation);
        if operation.completed_us > last.completed_us {
            *last = operation;
        }
    }
    let is_alone = |erasure: &Operation| {
        let mut others = seen.operations.iter();
        !others.any(|other| {
            other.subject == erasure.subject
                && !std::ptr::eq(other, erasure)
                && other.completed_us >= erasure.invoked_us
        })
    };
    last.into_iter()
        .filter(|(_, operation)| {
            operation.deed == Deed::Erase && operation.is_done() && is_alone(operation)
        })
        .map(|(subject, _)| subject)
        .collect()
}
