//! How often events may be delivered again, and that a replay does.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use uuid::Uuid;

use super::{Seen, Terms, Violation};

/// How often one disturbance may move a partition: a Kafka group settles in two steps.
const MOVES_MAX: u64 = 2;

/// A replay that is broken off begins anew; once is allowed.
const REPLAYS_MAX: u64 = 2;

/// An event that had had its effect, delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redelivery {
    pub id: Uuid,
    /// Since the run began.
    pub at_ms: u64,
}

/// When partitions may have lost their reader, since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disturbance {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What is lost of a host's work when its partitions move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// Events that were being handled.
    pub in_flight: u64,
    /// What was handled meanwhile and for so long before may not be committed.
    pub uncommitted_ms: u64,
    /// Events that one call may handle, where a call that fails has its events delivered again.
    pub call_events: u64,
}

/// How many there were, and how many there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub events: u64,
    pub events_max: u64,
    /// Of that event of which there were most.
    pub of_one: u64,
    pub of_one_max: u64,
}

/// Counts, and holds the counts against what the disturbances explain.
pub fn check(terms: &Terms, seen: &Seen, violations: &mut Vec<Violation>) -> Tally {
    let mut of_each: HashMap<Uuid, u64> = HashMap::new();
    for redelivery in &seen.redeliveries {
        *of_each.entry(redelivery.id).or_default() += 1;
    }
    let tally = Tally {
        events: seen.redeliveries.len() as u64,
        events_max: events_max(terms, seen),
        of_one: of_each.values().copied().max().unwrap_or(0),
        of_one_max: of_one_max(terms, seen),
    };
    if tally.events > tally.events_max {
        violations.push(Violation::Redelivered {
            events: tally.events,
            events_max: tally.events_max,
        });
    }
    let too_often = of_each
        .iter()
        .filter(|(_, times)| **times > tally.of_one_max);
    let too_often: BTreeSet<_> = too_often.collect();
    for (event, times) in too_often {
        violations.push(Violation::RedeliveredTooOften {
            event: *event,
            times: *times,
            times_max: tally.of_one_max,
        });
    }
    tally
}

/// For each disturbance what was in flight, and what was handled meanwhile or too shortly before to
/// be committed; for each replay what it was to repeat; for each call that failed after its effects,
/// its events.
fn events_max(terms: &Terms, seen: &Seen) -> u64 {
    let Exposure {
        in_flight,
        uncommitted_ms,
        call_events,
    } = terms.exposure;
    let effects = seen.effects.iter().map(|effect| effect.at_ms);
    let redeliveries = seen.redeliveries.iter().map(|again| again.at_ms);
    let mut handled: Vec<u64> = effects.chain(redeliveries).collect();
    handled.sort_unstable();
    let before = |at_ms: u64| handled.partition_point(|handled| *handled < at_ms) as u64;
    let of_disturbance = |Disturbance { from_ms, to_ms }: &Disturbance| {
        in_flight + before(*to_ms) - before(from_ms.saturating_sub(uncommitted_ms))
    };
    let disturbances: u64 = terms.disturbances.iter().map(of_disturbance).sum();
    let replays = seen.replays.iter().map(|range| range.to - range.from);
    let calls = failed_calls(seen) * call_events;
    disturbances + REPLAYS_MAX * replays.sum::<u64>() + calls
}

fn of_one_max(terms: &Terms, seen: &Seen) -> u64 {
    let disturbances = terms.disturbances.len() as u64;
    let replays = seen.replays.len() as u64;
    // It may be called together with one that fails again and again.
    let calls = match terms.exposure.call_events {
        0 => 0,
        _ => failed_calls(seen),
    };
    MOVES_MAX * disturbances + REPLAYS_MAX * replays + calls
}

/// Calls that trapped after they had had their effects.
fn failed_calls(seen: &Seen) -> u64 {
    seen.mishaps.get("LateTrap").copied().unwrap_or(0)
}

/// Whether what was to be replayed was; how many events that were.
pub fn replays(seen: &Seen, violations: &mut Vec<Violation>) -> usize {
    let again: BTreeSet<Uuid> = seen.redeliveries.iter().map(|again| again.id).collect();
    let wanted = seen.effects.iter().filter(|effect| {
        let mut ranges = seen.replays.iter();
        ranges.any(|range| {
            range.partition == effect.partition && (range.from..range.to).contains(&effect.offset)
        })
    });
    let mut replayed = 0;
    for effect in wanted {
        if again.contains(&effect.id) {
            replayed += 1;
        } else {
            violations.push(Violation::NotReplayed {
                event: effect.id,
                partition: effect.partition,
                offset: effect.offset,
            });
        }
    }
    replayed
}
