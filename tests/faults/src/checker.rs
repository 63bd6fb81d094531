//! What must hold when all is over: a pure function over what was read, for each component.

mod follow_ups;
mod redeliveries;
mod violation;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use uuid::Uuid;

use crate::operations::Range;
use crate::plan::{Fate, Planned, Step};
pub use follow_ups::FollowUp;
pub use redeliveries::{Disturbance, Exposure, Redelivery, Tally};
pub use violation::Violation;

/// The guest's total of a key is made of its sequence numbers, in their order.
const DIGEST_FACTOR: i64 = 31;
const DIGEST_BELOW: i64 = 1_000_000_007;

/// What was read of one component.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// In the order in which they were had.
    pub effects: Vec<Effect>,
    pub redeliveries: Vec<Redelivery>,
    pub totals: BTreeMap<String, Total>,
    pub letters: Vec<Letter>,
    /// What it published, in order; none where it does not publish.
    pub follow_ups: Option<Vec<FollowUp>>,
    /// Rejected events that were to be accepted when they were redriven.
    pub pardons: BTreeSet<Uuid>,
    /// What it was asked to handle again.
    pub replays: Vec<Range>,
    /// What it did instead of what it should, and how often.
    pub mishaps: BTreeMap<String, u64>,
    pub lags: Vec<Lag>,
}

/// A row that an event left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub id: Uuid,
    /// 0 but for a broken consumer's.
    pub copy: i32,
    pub key: String,
    pub sequence: u64,
    pub partition: u32,
    pub offset: u64,
    /// It was rejected first, and comes after later events of its key.
    pub late: bool,
    /// Since the run began.
    pub at_ms: u64,
}

/// What a key's effects add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    pub digest: i64,
    pub applied: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub id: Uuid,
    pub key: String,
    pub group: String,
    pub reason: String,
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub topic: String,
    pub partition: u32,
    pub lag: u64,
}

/// What must hold beside the plan.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How many partitions the group must show.
    pub partitions: usize,
    /// What each disturbance may have delivered again.
    pub exposure: Exposure,
    pub disturbances: Vec<Disturbance>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub effects: usize,
    /// Effects of events that were rejected, redriven, and then accepted.
    pub redriven: usize,
    /// Events that were replayed.
    pub replayed: usize,
    pub dead_letters: usize,
    /// Dead letters that were written again: allowed, since they do no harm.
    pub letters_again: usize,
    /// Follow-ups, each counted once.
    pub follow_ups: usize,
    /// Follow-ups that were published again, with the same id: allowed, as above.
    pub follow_ups_again: usize,
    /// Deliveries of events that had had their effect: allowed within bounds.
    pub redeliveries: Tally,
    pub mishaps: BTreeMap<String, u64>,
    pub violations: Vec<Violation>,
}

/// Holds what was read against what was planned.
pub fn check(planned: &[Planned], terms: &Terms, seen: &Seen) -> Findings {
    let known: HashMap<Uuid, &Planned> = planned.iter().map(|event| (event.id, event)).collect();
    let mut violations = Vec::new();
    let with_effect = effects(&known, seen, &mut violations);
    let dead = letters(&known, &seen.letters, &mut violations);
    fates(planned, &with_effect, &dead, &seen.pardons, &mut violations);
    orders(&seen.effects, &mut violations);
    totals(planned, &seen.totals, &mut violations);
    mishaps(planned, &seen.mishaps, &mut violations);
    let follow_ups = match &seen.follow_ups {
        Some(found) => {
            let own = follow_ups::check(&known, found, &with_effect, &seen.pardons);
            violations.extend(own.violations);
            own.distinct
        }
        None => 0,
    };
    let replayed = redeliveries::replays(seen, &mut violations);
    let redeliveries = redeliveries::check(terms, seen, &mut violations);
    ends(terms.partitions, seen, &mut violations);
    let published = seen.follow_ups.as_ref().map_or(0, Vec::len);
    Findings {
        effects: with_effect.len(),
        redriven: seen.effects.iter().filter(|effect| effect.late).count(),
        replayed,
        dead_letters: dead.len(),
        letters_again: seen.letters.len() - dead.len(),
        follow_ups,
        follow_ups_again: published - follow_ups,
        redeliveries,
        mishaps: seen.mishaps.clone(),
        violations,
    }
}

/// What is left to do by the whole application, and what did not happen in time.
pub fn left_over(unpublished: u64, overdue: &[String]) -> Vec<Violation> {
    let mut violations = Vec::new();
    if unpublished > 0 {
        violations.push(Violation::Unpublished {
            events: unpublished,
        });
    }
    let overdue = overdue.iter().cloned();
    violations.extend(overdue.map(|what| Violation::Overdue { what }));
    violations
}

/// Which events had an effect.
fn effects(
    known: &HashMap<Uuid, &Planned>,
    seen: &Seen,
    violations: &mut Vec<Violation>,
) -> BTreeSet<Uuid> {
    let mut with_effect = BTreeSet::new();
    for effect in &seen.effects {
        let is_planned = known
            .get(&effect.id)
            .is_some_and(|event| (&event.key, event.sequence) == (&effect.key, effect.sequence));
        if !is_planned || effect.late != seen.pardons.contains(&effect.id) {
            violations.push(Violation::Stranger {
                event: effect.id,
                place: "the effects".to_owned(),
            });
        } else if !with_effect.insert(effect.id) {
            violations.push(Violation::Twice {
                event: effect.id,
                key: effect.key.clone(),
                sequence: effect.sequence,
            });
        }
    }
    with_effect
}

/// Which events lie among the dead letters.
fn letters(
    known: &HashMap<Uuid, &Planned>,
    letters: &[Letter],
    violations: &mut Vec<Violation>,
) -> BTreeSet<Uuid> {
    let mut dead = BTreeSet::new();
    for letter in letters {
        let planned = known
            .get(&letter.id)
            .filter(|event| event.key == letter.key);
        let Some(event) = planned else {
            violations.push(Violation::Stranger {
                event: letter.id,
                place: "the dead letters".to_owned(),
            });
            continue;
        };
        dead.insert(letter.id);
        match event.fate() {
            Fate::Effect => violations.push(Violation::GivenUp {
                event: letter.id,
                key: letter.key.clone(),
                sequence: event.sequence,
                attempts: letter.attempts,
                reason: letter.reason.clone(),
            }),
            Fate::DeadLetter { attempts } if letter.attempts < attempts => {
                violations.push(Violation::TooFewAttempts {
                    event: letter.id,
                    planned: attempts,
                    found: letter.attempts,
                });
            }
            Fate::DeadLetter { .. } => {}
        }
    }
    dead
}

/// Every event has what it was planned to have.
fn fates(
    planned: &[Planned],
    with_effect: &BTreeSet<Uuid>,
    dead: &BTreeSet<Uuid>,
    pardons: &BTreeSet<Uuid>,
    violations: &mut Vec<Violation>,
) {
    for event in planned {
        let (has_effect, is_dead) = (with_effect.contains(&event.id), dead.contains(&event.id));
        let is_pardoned = pardons.contains(&event.id);
        let (event, key, sequence, fate) =
            (event.id, event.key.clone(), event.sequence, event.fate());
        violations.extend(match fate {
            // Given up and without effect: said already.
            Fate::Effect if has_effect || is_dead => None,
            Fate::Effect => Some(Violation::Lost {
                event,
                key,
                sequence,
            }),
            Fate::DeadLetter { .. } if !is_dead => Some(Violation::NotGivenUp {
                event,
                key,
                sequence,
            }),
            Fate::DeadLetter { .. } if is_pardoned == has_effect => None,
            Fate::DeadLetter { .. } if is_pardoned => Some(Violation::NotRedriven {
                event,
                key,
                sequence,
            }),
            Fate::DeadLetter { .. } => Some(Violation::EffectOfTheDead {
                event,
                key,
                sequence,
            }),
        });
    }
}

/// The effects of a key follow its sequence; so do those of its redriven events, among themselves.
fn orders(effects: &[Effect], violations: &mut Vec<Violation>) {
    let mut last: HashMap<(&str, bool), u64> = HashMap::new();
    for effect in effects {
        let last = last.entry((&effect.key, effect.late)).or_default();
        if effect.sequence < *last {
            violations.push(Violation::OutOfOrder {
                event: effect.id,
                key: effect.key.clone(),
                sequence: effect.sequence,
                after: *last,
            });
        }
        *last = effect.sequence.max(*last);
    }
}

/// What the effects add up to is what one consumer, one event after the other, would have made.
fn totals(planned: &[Planned], found: &BTreeMap<String, Total>, violations: &mut Vec<Violation>) {
    let mut model: BTreeMap<&str, Total> = BTreeMap::new();
    for event in planned.iter().filter(|event| event.fate() == Fate::Effect) {
        let total = model.entry(&event.key).or_default();
        let sequence = event.sequence.cast_signed();
        total.digest = (total.digest * DIGEST_FACTOR + sequence) % DIGEST_BELOW;
        total.applied += 1;
    }
    let keys: BTreeSet<&str> = model
        .keys()
        .copied()
        .chain(found.keys().map(|key| &**key))
        .collect();
    for key in keys {
        let model = model.get(key).copied().unwrap_or_default();
        let found = found.get(key).copied().unwrap_or_default();
        if model != found {
            violations.push(Violation::Unequal {
                key: key.to_owned(),
                model: (model.applied, model.digest),
                found: (found.applied, found.digest),
            });
        }
    }
}

/// Whatever was planned to go wrong did: a run in which nothing happens shows nothing.
fn mishaps(planned: &[Planned], found: &BTreeMap<String, u64>, violations: &mut Vec<Violation>) {
    let first = planned.iter().filter_map(|event| event.steps.first());
    let wanted: BTreeSet<String> = first
        .filter(|step| **step != Step::Ok)
        .map(|step| format!("{step:?}"))
        .collect();
    let missing = wanted.into_iter().filter(|step| !found.contains_key(step));
    violations.extend(missing.map(|step| Violation::NotInjected { step }));
}

/// Nothing is left to do.
fn ends(partitions: usize, seen: &Seen, violations: &mut Vec<Violation>) {
    if seen.lags.len() != partitions {
        violations.push(Violation::Partitions {
            expected: partitions,
            found: seen.lags.len(),
        });
    }
    for lag in seen.lags.iter().filter(|lag| lag.lag > 0) {
        violations.push(Violation::LagLeft {
            topic: lag.topic.clone(),
            partition: lag.partition,
            events: lag.lag,
        });
    }
}

#[cfg(test)]
mod tests;
