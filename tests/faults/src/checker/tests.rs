//! Each violation is found, and what is allowed is not one.

use super::*;
use crate::plan::{ATTEMPTS_MAX, Step, plan};

const PARTITIONS: usize = 2;

/// Events and what a perfect consumer makes of them.
fn perfect() -> (Vec<Planned>, Seen) {
    let planned = plan(200, 10, 1).unwrap();
    let mut seen = Seen::default();
    for event in &planned {
        match event.fate() {
            Fate::Effect => handle(&mut seen, event),
            Fate::DeadLetter { attempts } => seen.letters.push(letter(event, attempts)),
        }
    }
    seen.lags = (0..2)
        .map(|partition| Lag {
            topic: "deeds".to_owned(),
            partition,
            lag: 0,
        })
        .collect();
    (planned, seen)
}

/// What the guest's statements do.
fn handle(seen: &mut Seen, event: &Planned) {
    seen.effects.push(effect(event));
    let total = seen.totals.entry(event.key.clone()).or_default();
    total.digest = (total.digest * DIGEST_FACTOR + event.sequence.cast_signed()) % DIGEST_BELOW;
    total.applied += 1;
}

fn effect(event: &Planned) -> Effect {
    Effect {
        id: event.id,
        copy: 0,
        key: event.key.clone(),
        sequence: event.sequence,
        deliveries: 1,
    }
}

fn letter(event: &Planned, attempts: u32) -> Letter {
    Letter {
        id: event.id,
        key: event.key.clone(),
        reason: "told to".to_owned(),
        attempts,
    }
}

fn violations(planned: &[Planned], seen: &Seen) -> Vec<Violation> {
    check(planned, PARTITIONS, seen).violations
}

fn names(violations: &[Violation]) -> BTreeSet<String> {
    let name = |violation: &Violation| {
        let json = serde_json::to_value(violation).unwrap();
        json["violation"].as_str().unwrap().to_owned()
    };
    violations.iter().map(name).collect()
}

/// A plain event, by where it is among the effects.
fn place_of(planned: &[Planned], seen: &Seen) -> (Planned, usize) {
    let event = planned.iter().find(|event| event.steps.is_empty()).unwrap();
    let place = seen
        .effects
        .iter()
        .position(|effect| effect.id == event.id)
        .unwrap();
    (event.clone(), place)
}

#[test]
fn a_perfect_run_is_without_fault() {
    let (planned, seen) = perfect();
    let findings = check(&planned, PARTITIONS, &seen);
    assert_eq!(findings.violations, []);
    assert_eq!(findings.effects + findings.dead_letters, planned.len());
    assert!(findings.dead_letters > 0);
}

#[test]
fn harmless_repetitions_are_counted_and_allowed() {
    let (planned, mut seen) = perfect();
    seen.effects[3].deliveries = 4;
    let again = seen.letters[0].clone();
    seen.letters.push(again);
    let findings = check(&planned, PARTITIONS, &seen);
    assert_eq!(findings.violations, []);
    assert_eq!((findings.redeliveries, findings.letters_again), (3, 1));
}

#[test]
fn an_event_without_effect_is_lost() {
    let (planned, mut seen) = perfect();
    let (event, place) = place_of(&planned, &seen);
    seen.effects.remove(place);
    let found = violations(&planned, &seen);
    let (key, sequence) = (event.key, event.sequence);
    assert_eq!(
        found,
        [Violation::Lost {
            event: event.id,
            key,
            sequence
        }]
    );
}

#[test]
fn a_skipped_event_is_missed_in_the_total_too() {
    let (planned, seen) = perfect();
    let (skipped, _) = place_of(&planned, &seen);
    let mut other = Seen {
        letters: seen.letters,
        lags: seen.lags,
        ..Seen::default()
    };
    let handled = |event: &&Planned| event.fate() == Fate::Effect && event.id != skipped.id;
    for event in planned.iter().filter(handled) {
        handle(&mut other, event);
    }
    let found = names(&violations(&planned, &other));
    assert_eq!(found, names_of(["lost", "unequal"]));
}

#[test]
fn two_events_in_the_wrong_order_are_found_in_the_order_and_in_the_total() {
    let (mut planned, seen) = perfect();
    let first = planned
        .iter()
        .position(|event| event.mark.is_some())
        .unwrap();
    let second = planned
        .iter()
        .rposition(|event| event.mark.is_some())
        .unwrap();
    let mut other = Seen {
        letters: seen.letters,
        lags: seen.lags,
        ..Seen::default()
    };
    planned.swap(first, second);
    for event in planned.iter().filter(|event| event.fate() == Fate::Effect) {
        handle(&mut other, event);
    }
    planned.swap(first, second);
    let found = names(&violations(&planned, &other));
    assert_eq!(found, names_of(["out-of-order", "unequal"]));
}

#[test]
fn an_effect_that_was_had_twice_is_found() {
    let (planned, mut seen) = perfect();
    let mut copy = seen.effects[5].clone();
    copy.copy = 1;
    seen.effects.insert(6, copy);
    assert_eq!(names(&violations(&planned, &seen)), names_of(["twice"]));
}

#[test]
fn an_event_that_is_given_up_on_for_no_reason_is_found() {
    let (planned, mut seen) = perfect();
    let (event, _) = place_of(&planned, &seen);
    seen.letters.push(letter(&event, ATTEMPTS_MAX));
    assert_eq!(names(&violations(&planned, &seen)), names_of(["given-up"]));
}

#[test]
fn a_missing_dead_letter_is_found_with_an_effect_or_without() {
    let (planned, mut seen) = perfect();
    let letter = seen.letters.remove(0);
    assert_eq!(
        names(&violations(&planned, &seen)),
        names_of(["not-given-up"])
    );
    let event = planned.iter().find(|event| event.id == letter.id).unwrap();
    seen.effects.push(effect(event));
    assert!(names(&violations(&planned, &seen)).contains("not-given-up"));
    seen.letters.push(letter);
    assert!(names(&violations(&planned, &seen)).contains("effect-of-the-dead"));
}

#[test]
fn an_event_that_is_given_up_on_too_early_is_found() {
    let (planned, mut seen) = perfect();
    let doomed = planned
        .iter()
        .find(|event| event.steps == [Step::Retry])
        .unwrap();
    let letter = seen
        .letters
        .iter_mut()
        .find(|letter| letter.id == doomed.id)
        .unwrap();
    letter.attempts = ATTEMPTS_MAX - 1;
    assert_eq!(
        names(&violations(&planned, &seen)),
        names_of(["too-few-attempts"])
    );
}

#[test]
fn what_nobody_published_is_found() {
    let (planned, mut seen) = perfect();
    seen.letters[0].id = Uuid::from_u128(1);
    let found = names(&violations(&planned, &seen));
    assert_eq!(found, names_of(["not-given-up", "stranger"]));
    let (planned, mut seen) = perfect();
    seen.effects[0].key = "key-of-nobody".to_owned();
    assert!(names(&violations(&planned, &seen)).contains("stranger"));
}

#[test]
fn what_is_left_to_do_is_found() {
    let (planned, mut seen) = perfect();
    seen.lags[1].lag = 3;
    assert_eq!(names(&violations(&planned, &seen)), names_of(["lag-left"]));
    seen.lags.pop();
    assert_eq!(
        names(&violations(&planned, &seen)),
        names_of(["partitions"])
    );
    let (planned, mut seen) = perfect();
    seen.unpublished = 1;
    seen.overdue.push("a host did not stop".to_owned());
    assert_eq!(
        names(&violations(&planned, &seen)),
        names_of(["overdue", "unpublished"])
    );
}

fn names_of<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}
