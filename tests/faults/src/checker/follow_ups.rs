//! What a handler publishes comes out once for every event that was handled, in order, and never for
//! a try that failed.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::Violation;
use crate::plan::{Planned, Step};

/// An event that was published while another was handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    pub id: Uuid,
    pub key: String,
    /// The event that was being handled.
    pub of: Uuid,
    /// At which try.
    pub attempt: u32,
}

pub struct Checked {
    /// How many there are, those with the same id counted once.
    pub distinct: usize,
    pub violations: Vec<Violation>,
}

/// `found` is in order for each key.
pub fn check(
    known: &HashMap<Uuid, &Planned>,
    found: &[FollowUp],
    handled: &BTreeSet<Uuid>,
    pardons: &BTreeSet<Uuid>,
) -> Checked {
    let mut violations = Vec::new();
    let mut ids = BTreeSet::new();
    let mut followed = BTreeSet::new();
    let mut last: HashMap<(&str, bool), u64> = HashMap::new();
    for follow_up in found {
        let event = known.get(&follow_up.of);
        let Some(event) = event.filter(|event| event.key == follow_up.key) else {
            violations.push(Violation::Stranger {
                event: follow_up.id,
                place: "the follow-ups".to_owned(),
            });
            ids.insert(follow_up.id);
            continue;
        };
        let (key, sequence) = (event.key.clone(), event.sequence);
        let is_pardoned = pardons.contains(&event.id);
        // Each time it comes out: a repetition of a failed try would be one too.
        if !succeeds(event.step(follow_up.attempt), is_pardoned) {
            violations.push(Violation::ReleasedByAFailure {
                event: event.id,
                key: key.clone(),
                sequence,
                attempt: follow_up.attempt,
            });
        }
        if !ids.insert(follow_up.id) {
            continue;
        }
        if follow_up.id != event.follow_up() {
            violations.push(Violation::FollowedTwice {
                event: event.id,
                key,
                sequence,
            });
            continue;
        }
        followed.insert(event.id);
        let last = last.entry((&event.key, is_pardoned)).or_default();
        if sequence < *last {
            violations.push(Violation::FollowUpOutOfOrder {
                event: event.id,
                key,
                sequence,
                after: *last,
            });
        }
        *last = sequence.max(*last);
    }
    let of = |id: &Uuid| {
        known
            .get(id)
            .map(|event| (event.key.clone(), event.sequence))
    };
    for id in handled.difference(&followed) {
        if let Some((key, sequence)) = of(id) {
            violations.push(Violation::NotFollowed {
                event: *id,
                key,
                sequence,
            });
        }
    }
    for id in followed.difference(handled) {
        if let Some((key, sequence)) = of(id) {
            violations.push(Violation::FollowedForNothing {
                event: *id,
                key,
                sequence,
            });
        }
    }
    Checked {
        distinct: ids.len(),
        violations,
    }
}

/// Whether a try that does this ends well.
fn succeeds(step: Step, is_pardoned: bool) -> bool {
    match step {
        Step::Ok | Step::Slow => true,
        Step::Reject => is_pardoned,
        Step::Retry | Step::Trap | Step::LateTrap | Step::Stall => false,
    }
}
