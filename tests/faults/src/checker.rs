//! What must hold when all is over: a pure function over what was read.

mod violation;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use uuid::Uuid;

use crate::plan::{Fate, Planned};
pub use violation::Violation;

/// The guest's total of a key is made of its sequence numbers, in their order.
const DIGEST_FACTOR: i64 = 31;
const DIGEST_BELOW: i64 = 1_000_000_007;

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// In the order in which they were had.
    pub effects: Vec<Effect>,
    pub totals: BTreeMap<String, Total>,
    pub letters: Vec<Letter>,
    pub lags: Vec<Lag>,
    /// Events that were saved and not published.
    pub unpublished: u64,
    /// What did not happen in time, and how hosts ended that should not have.
    pub overdue: Vec<String>,
}

/// A row that an event left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub id: Uuid,
    /// 0 but for a broken consumer's.
    pub copy: i32,
    pub key: String,
    pub sequence: u64,
    /// How often it was delivered to a handler that got so far.
    pub deliveries: u64,
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
    pub reason: String,
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub topic: String,
    pub partition: u32,
    pub lag: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub effects: usize,
    pub dead_letters: usize,
    /// Deliveries of events that had had their effect: allowed, since they do no harm.
    pub redeliveries: u64,
    /// Dead letters that were written again: allowed, as above.
    pub letters_again: usize,
    pub violations: Vec<Violation>,
}

/// Holds what was read against what was planned. `partitions` is how many the group must show.
pub fn check(planned: &[Planned], partitions: usize, seen: &Seen) -> Findings {
    let known: HashMap<Uuid, &Planned> = planned.iter().map(|event| (event.id, event)).collect();
    let mut violations = Vec::new();
    let with_effect = effects(&known, &seen.effects, &mut violations);
    let dead = letters(&known, &seen.letters, &mut violations);
    fates(planned, &with_effect, &dead, &mut violations);
    orders(&seen.effects, &mut violations);
    totals(planned, &seen.totals, &mut violations);
    ends(partitions, seen, &mut violations);
    Findings {
        effects: with_effect.len(),
        dead_letters: dead.len(),
        redeliveries: seen
            .effects
            .iter()
            .map(|effect| effect.deliveries.saturating_sub(1))
            .sum(),
        letters_again: seen.letters.len() - dead.len(),
        violations,
    }
}

/// Which events had an effect.
fn effects(
    known: &HashMap<Uuid, &Planned>,
    effects: &[Effect],
    violations: &mut Vec<Violation>,
) -> BTreeSet<Uuid> {
    let mut with_effect = BTreeSet::new();
    for effect in effects {
        let is_planned = known
            .get(&effect.id)
            .is_some_and(|event| (&event.key, event.sequence) == (&effect.key, effect.sequence));
        if !is_planned {
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
    violations: &mut Vec<Violation>,
) {
    for event in planned {
        let (has_effect, is_dead) = (with_effect.contains(&event.id), dead.contains(&event.id));
        let (key, sequence) = (event.key.clone(), event.sequence);
        match event.fate() {
            // Given up and without effect: said already.
            Fate::Effect if !has_effect && !is_dead => violations.push(Violation::Lost {
                event: event.id,
                key,
                sequence,
            }),
            Fate::Effect => {}
            Fate::DeadLetter { .. } if !is_dead => violations.push(Violation::NotGivenUp {
                event: event.id,
                key,
                sequence,
            }),
            Fate::DeadLetter { .. } if has_effect => violations.push(Violation::EffectOfTheDead {
                event: event.id,
                key,
                sequence,
            }),
            Fate::DeadLetter { .. } => {}
        }
    }
}

/// The effects of a key follow its sequence.
fn orders(effects: &[Effect], violations: &mut Vec<Violation>) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for effect in effects {
        let last = last.entry(&effect.key).or_default();
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

/// Nothing is left to do, and all that was to happen did in time.
fn ends(partitions: usize, seen: &Seen, violations: &mut Vec<Violation>) {
    if seen.unpublished > 0 {
        let events = seen.unpublished;
        violations.push(Violation::Unpublished { events });
    }
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
    let overdue = seen.overdue.iter().cloned();
    violations.extend(overdue.map(|what| Violation::Overdue { what }));
}

#[cfg(test)]
mod tests;
