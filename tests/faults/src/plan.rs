//! What is published, and what is to become of it: all of it follows from the seed.

use std::collections::BTreeMap;

use anyhow::ensure;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use uuid::Uuid;

/// Tries before an event is a dead letter: 13 to 25 s of them, longer than any server is away.
pub const ATTEMPTS_MAX: u32 = 7;

/// How many of a million events are told to misbehave; one at least of each kind.
const RATES: [(Misdeed, usize); 7] = [
    (Misdeed::Trap, 5_000),
    (Misdeed::LateTrap, 5_000),
    (Misdeed::Retry, 2_000),
    (Misdeed::Reject, 1_000),
    (Misdeed::Slow, 1_000),
    (Misdeed::Stall, 200),
    (Misdeed::Doomed, 50),
];
const MILLION: usize = 1_000_000;
/// A try after a trap traps as often as the first one.
const TRAPS_AGAIN: f64 = 0.01;

/// The doomed hold up their partition's offset: they come after all that the hosts go through.
const DOOMED_FROM_PERCENT: usize = 85;

/// There is something to redrive when the time for it comes: the first event to be rejected is one
/// of the first.
const REJECTED_BEFORE_PERCENT: usize = 10;

/// A broken consumer does wrong at pairs of events, from here on among all of them.
const MARKS_FROM: f64 = 0.5;

/// The component whose follow-ups are planned.
const FOLLOWING: &str = "recorder";

/// What happens at one attempt; the guest `recorder` knows the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Ok,
    Slow,
    Retry,
    Reject,
    Trap,
    LateTrap,
    Stall,
}

/// Where a broken consumer does wrong: at two events of one key, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    pub wrong: Wrong,
    /// At the second one: the first one's id.
    pub previous: Option<Uuid>,
}

/// What a broken consumer does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// Says of an event that it is handled, and does nothing.
    Skip,
    /// Handles two events of one key in the wrong order.
    Swap,
    /// Handles an event twice.
    Twice,
    /// Does not publish what belongs to an event.
    Mute,
    /// Publishes two events for one.
    Chatter,
}

impl Wrong {
    const ALL: [Self; 5] = [
        Self::Skip,
        Self::Swap,
        Self::Twice,
        Self::Mute,
        Self::Chatter,
    ];
}

/// What is to become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has its effect.
    Effect,
    /// It has none, and lies among the dead letters after so many attempts at least. Rejected, it
    /// has one if it is pardoned and redriven.
    DeadLetter { attempts: u32 },
}

/// An event that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub id: Uuid,
    pub key: String,
    /// Counts the events of the key, from 1.
    pub sequence: u64,
    /// What happens at each attempt; the last one goes on. None: all is well at once.
    pub steps: Vec<Step>,
    pub mark: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misdeed {
    Trap,
    LateTrap,
    Retry,
    Reject,
    Slow,
    Stall,
    /// Never succeeds, and does not say so.
    Doomed,
}

/// The events in the order in which they are published.
pub fn plan(events: usize, keys: usize, seed: u64) -> anyhow::Result<Vec<Planned>> {
    ensure!(keys > 0, "there must be a key");
    // Fewer, and there is no room for the pair that is marked.
    ensure!(
        events >= 20 * keys.min(10),
        "{events} events are too few: 20 a key, or 200"
    );
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut sequences = vec![0; keys];
    let mut events: Vec<_> = (0..events)
        .map(|_| {
            let key = chance.random_range(0..keys);
            sequences[key] += 1;
            Planned {
                id: Uuid::from_u128(chance.random()),
                key: format!("key-{key}"),
                sequence: sequences[key],
                steps: Vec::new(),
                mark: None,
            }
        })
        .collect();
    for (misdeed, rate) in RATES {
        misbehave(&mut events, misdeed, rate, &mut chance);
    }
    mark(&mut events)?;
    Ok(events)
}

/// Tells a plan from others: the same for the same events, wherever it was made.
pub fn fingerprint(planned: &[Planned]) -> Uuid {
    let text: String = planned
        .iter()
        .map(|event| {
            let (id, key, sequence) = (event.id, &event.key, event.sequence);
            format!("{id} {key} {sequence} {}\n", event.payload())
        })
        .collect();
    Uuid::new_v5(&Uuid::nil(), text.as_bytes())
}

impl Planned {
    /// Follows from its steps.
    pub fn fate(&self) -> Fate {
        for attempt in 1..=ATTEMPTS_MAX {
            match self.step(attempt) {
                Step::Ok | Step::Slow | Step::LateTrap => return Fate::Effect,
                Step::Reject => return Fate::DeadLetter { attempts: attempt },
                Step::Retry | Step::Trap | Step::Stall => {}
            }
        }
        Fate::DeadLetter {
            attempts: ATTEMPTS_MAX,
        }
    }

    /// The payload, as the guest `recorder` reads it.
    pub fn payload(&self) -> serde_json::Value {
        let mut payload = serde_json::json!({ "schema": 1 });
        if !self.steps.is_empty() {
            payload["steps"] = serde_json::json!(self.steps);
        }
        if let Some(mark) = &self.mark {
            payload["mark"] = serde_json::json!(mark);
        }
        payload
    }

    /// What is published when it is handled, each time the same.
    pub fn follow_up(&self) -> Uuid {
        Uuid::new_v5(&self.id, format!("{FOLLOWING}/0").as_bytes())
    }

    /// What happens at an attempt, the first one being 1.
    pub fn step(&self, attempt: u32) -> Step {
        let at = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let step = self.steps.get(at).or(self.steps.last());
        step.copied().unwrap_or(Step::Ok)
    }
}

fn misbehave(events: &mut [Planned], misdeed: Misdeed, rate: usize, chance: &mut ChaCha8Rng) {
    let count = (events.len() * rate).div_ceil(MILLION);
    let mut left = count;
    while left > 0 {
        let among = match misdeed {
            Misdeed::Doomed => events.len() * DOOMED_FROM_PERCENT / 100..events.len(),
            Misdeed::Reject if left == count => 0..events.len() * REJECTED_BEFORE_PERCENT / 100,
            Misdeed::Trap
            | Misdeed::LateTrap
            | Misdeed::Retry
            | Misdeed::Reject
            | Misdeed::Slow
            | Misdeed::Stall => 0..events.len(),
        };
        let event = &mut events[chance.random_range(among)];
        if event.steps.is_empty() {
            event.steps = misdeed.steps(chance);
            left -= 1;
        }
    }
}

impl Misdeed {
    fn steps(self, chance: &mut ChaCha8Rng) -> Vec<Step> {
        let first = match self {
            Self::Trap => Step::Trap,
            Self::LateTrap => Step::LateTrap,
            Self::Retry => Step::Retry,
            Self::Slow => Step::Slow,
            Self::Stall => Step::Stall,
            Self::Reject => return vec![Step::Reject],
            Self::Doomed => return vec![Step::Retry],
        };
        let mut steps = vec![first];
        while chance.random_bool(TRAPS_AGAIN) && steps.len() + 2 < ATTEMPTS_MAX as usize {
            steps.push(Step::Trap);
        }
        steps.push(Step::Ok);
        steps
    }
}

/// Marks pairs of events, each of a key of its own, one behind the other, to which nothing else
/// happens: one pair for each wrong.
fn mark(events: &mut [Planned]) -> anyhow::Result<()> {
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    let middle = (events.len() as f64 * MARKS_FROM) as usize;
    for (at, event) in events.iter().enumerate().skip(middle) {
        if pairs.len() == Wrong::ALL.len() {
            break;
        }
        let before = last.insert(&event.key, at);
        let is_plain = |at: usize| events[at].steps.is_empty();
        let is_new = |(before, _): &(usize, usize)| events[*before].key != event.key;
        if let Some(before) = before.filter(|before| is_plain(*before) && is_plain(at))
            && pairs.iter().all(is_new)
        {
            pairs.push((before, at));
        }
    }
    ensure!(
        pairs.len() == Wrong::ALL.len(),
        "too few keys have two events in a row to which nothing happens"
    );
    for (wrong, (first, second)) in Wrong::ALL.into_iter().zip(pairs) {
        let previous = Some(events[first].id);
        events[first].mark = Some(Mark {
            wrong,
            previous: None,
        });
        events[second].mark = Some(Mark { wrong, previous });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_events_and_another_seed_gives_others() {
        let events = plan(2_000, 20, 7).unwrap();
        let same = plan(2_000, 20, 7).unwrap();
        let other = plan(2_000, 20, 8).unwrap();
        assert_eq!(events, same);
        assert_eq!(fingerprint(&events), fingerprint(&same));
        assert_ne!(events, other);
        assert_ne!(fingerprint(&events), fingerprint(&other));
    }

    #[test]
    fn a_keys_events_are_counted_without_a_gap() {
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for event in plan(2_000, 20, 1).unwrap() {
            let next = next.entry(event.key).or_insert(1);
            assert_eq!(event.sequence, *next);
            *next += 1;
        }
    }

    #[test]
    fn every_hundredth_event_traps_and_every_thousandth_is_rejected() {
        let events = plan(100_000, 1_000, 1).unwrap();
        let first = |step| {
            let is = |event: &&Planned| event.steps.first() == Some(&step);
            events.iter().filter(is).count()
        };
        assert_eq!(first(Step::Trap) + first(Step::LateTrap), 1_000);
        assert_eq!(first(Step::Reject), 100);
        let dead = |event: &&Planned| event.fate() != Fate::Effect;
        assert_eq!(events.iter().filter(dead).count(), 105);
    }

    #[test]
    fn what_is_tried_too_often_is_a_dead_letter_and_what_traps_late_is_not() {
        let fate = |steps: &[Step]| {
            let mut event = plan(200, 10, 1).unwrap().remove(0);
            event.steps = steps.to_vec();
            event.fate()
        };
        assert_eq!(fate(&[]), Fate::Effect);
        assert_eq!(fate(&[Step::Trap, Step::Ok]), Fate::Effect);
        assert_eq!(fate(&[Step::LateTrap]), Fate::Effect);
        let dead = |attempts| Fate::DeadLetter { attempts };
        assert_eq!(fate(&[Step::Trap, Step::Reject]), dead(2));
        assert_eq!(fate(&[Step::Retry]), dead(ATTEMPTS_MAX));
    }

    #[test]
    fn one_of_the_first_events_is_rejected() {
        for seed in 0..20 {
            let events = plan(5_000, 100, seed).unwrap();
            let is = |event: &Planned| event.steps == [Step::Reject];
            let first = events.iter().position(is).unwrap();
            assert!(first < 500, "{first} with seed {seed}");
        }
    }

    #[test]
    fn the_marked_pairs_are_of_one_key_each_and_in_a_row() {
        let events = plan(200, 10, 3).unwrap();
        let mut keys = BTreeSet::new();
        for wrong in Wrong::ALL {
            let is = |event: &&Planned| event.mark.as_ref().is_some_and(|mark| mark.wrong == wrong);
            let marked: Vec<_> = events.iter().filter(is).collect();
            let [first, second] = marked.as_slice() else {
                panic!("{marked:?}");
            };
            assert_eq!(first.key, second.key);
            assert!(keys.insert(&first.key), "{keys:?}");
            assert_eq!(first.sequence + 1, second.sequence);
            let previous = Some(first.id);
            assert_eq!(second.mark, Some(Mark { wrong, previous }));
            let payload = second.payload().to_string();
            assert!(payload.contains(&first.id.to_string()), "{payload}");
        }
    }
}
