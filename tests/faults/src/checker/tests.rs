//! Each violation is found, and what is allowed is not one.

use super::*;
use crate::plan::{ATTEMPTS_MAX, Step, Wrong, plan};

const TERMS: Terms = Terms {
    partitions: 2,
    exposure: Exposure {
        in_flight: 1,
        uncommitted_ms: 10,
        call_events: 0,
    },
    disturbances: Vec::new(),
};

/// Events and what a perfect consumer makes of them.
fn perfect() -> (Vec<Planned>, Seen) {
    let planned = plan(200, 10, 1).unwrap();
    let mut seen = Seen::default();
    for event in &planned {
        match event.fate() {
            Fate::Effect => handle(&mut seen, event),
            Fate::DeadLetter { attempts } => seen.letters.push(letter(event, attempts)),
        }
        for step in event.steps.iter().filter(|step| **step != Step::Ok) {
            *seen.mishaps.entry(format!("{step:?}")).or_default() += 1;
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
    follow(seen, event);
    let total = seen.totals.entry(event.key.clone()).or_default();
    total.digest = (total.digest * DIGEST_FACTOR + event.sequence.cast_signed()) % DIGEST_BELOW;
    total.applied += 1;
}

/// The first try that ends well publishes.
fn follow(seen: &mut Seen, event: &Planned) {
    let ends_well = |attempt: &u32| matches!(event.step(*attempt), Step::Ok | Step::Slow);
    let attempt = (1..=ATTEMPTS_MAX).find(ends_well).unwrap_or(1);
    let follow_up = FollowUp {
        id: event.follow_up(),
        key: event.key.clone(),
        of: event.id,
        attempt,
    };
    seen.follow_ups.get_or_insert_default().push(follow_up);
}

fn effect(event: &Planned) -> Effect {
    Effect {
        id: event.id,
        copy: 0,
        key: event.key.clone(),
        sequence: event.sequence,
        partition: 0,
        offset: event.sequence,
        late: false,
        at_ms: 0,
    }
}

/// A rejected event is redriven, and accepted.
fn redrive(planned: &[Planned], seen: &mut Seen) -> Planned {
    let rejected = planned.iter().find(|event| event.steps == [Step::Reject]);
    let rejected = rejected.unwrap();
    seen.pardons.insert(rejected.id);
    let late = true;
    seen.effects.push(Effect {
        late,
        ..effect(rejected)
    });
    follow(seen, rejected);
    rejected.clone()
}

fn letter(event: &Planned, attempts: u32) -> Letter {
    Letter {
        id: event.id,
        key: event.key.clone(),
        group: "faults.recorder".to_owned(),
        reason: "told to".to_owned(),
        attempts,
    }
}

fn violations(planned: &[Planned], seen: &Seen) -> Vec<Violation> {
    check(planned, &TERMS, seen).violations
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
    let findings = check(&planned, &TERMS, &seen);
    assert_eq!(findings.violations, []);
    assert_eq!(findings.effects + findings.dead_letters, planned.len());
    assert!(findings.dead_letters > 0);
}

#[test]
fn harmless_repetitions_are_counted_and_allowed() {
    let (planned, mut seen) = perfect();
    let again = seen.letters[0].clone();
    seen.letters.push(again);
    let follow_ups = seen.follow_ups.as_mut().unwrap();
    follow_ups.push(follow_ups[7].clone());
    deliver_again(&mut seen, 3, 1);
    let terms = disturbed();
    let findings = check(&planned, &terms, &seen);
    assert_eq!(findings.violations, []);
    assert_eq!(
        (findings.redeliveries.events, findings.letters_again),
        (1, 1)
    );
    assert_eq!(findings.follow_ups_again, 1);
}

fn deliver_again(seen: &mut Seen, place: usize, times: usize) {
    let id = seen.effects[place].id;
    let at_ms = 100;
    let again = std::iter::repeat_n(Redelivery { id, at_ms }, times);
    seen.redeliveries.extend(again);
}

/// With one disturbance, long after all was committed.
fn disturbed() -> Terms {
    Terms {
        disturbances: vec![Disturbance {
            from_ms: 100,
            to_ms: 100,
        }],
        ..TERMS
    }
}

#[test]
fn more_redeliveries_than_a_disturbance_explains_are_found() {
    let (planned, mut seen) = perfect();
    deliver_again(&mut seen, 3, 1);
    assert_eq!(check(&planned, &disturbed(), &seen).violations, []);
    let of = |terms: &Terms, seen: &Seen| names(&check(&planned, terms, seen).violations);
    // Nothing was disturbed.
    let found = of(&TERMS, &seen);
    assert_eq!(found, names_of(["redelivered", "redelivered-too-often"]));
    // More than what was in flight.
    deliver_again(&mut seen, 4, 1);
    assert_eq!(of(&disturbed(), &seen), names_of(["redelivered"]));
    // What was handled a moment before may be uncommitted.
    seen.effects[5].at_ms = 95;
    assert_eq!(of(&disturbed(), &seen), names_of([]));
    // One of them more often than its partition moved.
    seen.effects[6].at_ms = 95;
    seen.effects[7].at_ms = 95;
    deliver_again(&mut seen, 4, 2);
    assert_eq!(of(&disturbed(), &seen), names_of(["redelivered-too-often"]));
}

#[test]
fn a_replay_explains_its_range_and_must_be_complete() {
    let (planned, mut seen) = perfect();
    let mut places = (0..seen.effects.len()).collect::<Vec<_>>();
    places.retain(|place| seen.effects[*place].offset < 3);
    seen.replays.push(Range {
        partition: 0,
        from: 0,
        to: 3,
    });
    let last = places.pop().unwrap();
    for place in places {
        deliver_again(&mut seen, place, 1);
    }
    let found = names(&violations(&planned, &seen));
    assert!(found.contains("not-replayed"), "{found:?}");
    deliver_again(&mut seen, last, 1);
    let found = names(&violations(&planned, &seen));
    assert!(!found.contains("not-replayed"), "{found:?}");
}

#[test]
fn a_redriven_event_has_its_effect_after_later_ones() {
    let (planned, mut seen) = perfect();
    redrive(&planned, &mut seen);
    let findings = check(&planned, &TERMS, &seen);
    assert_eq!((findings.violations, findings.redriven), (Vec::new(), 1));
    // It was to be accepted, and was not.
    seen.effects.pop();
    seen.follow_ups.as_mut().unwrap().pop();
    let found = names(&violations(&planned, &seen));
    assert_eq!(found, names_of(["not-redriven"]));
}

#[test]
fn what_was_published_wrongly_is_found() {
    let with = |wrong: &dyn Fn(&mut Vec<FollowUp>)| {
        let (planned, mut seen) = perfect();
        wrong(seen.follow_ups.as_mut().unwrap());
        names(&violations(&planned, &seen))
    };
    let missing = with(&|found| drop(found.remove(3)));
    assert_eq!(missing, names_of(["not-followed"]));
    let second = with(&|found| {
        let id = Uuid::from_u128(1);
        found.push(FollowUp {
            id,
            ..found[3].clone()
        });
    });
    assert_eq!(second, names_of(["followed-twice"]));
    let strange = with(&|found| found[3].of = Uuid::from_u128(1));
    assert_eq!(strange, names_of(["not-followed", "stranger"]));
    let (planned, mut seen) = perfect();
    let dead = planned.iter().find(|event| event.fate() != Fate::Effect);
    follow(&mut seen, dead.unwrap());
    let found = names(&violations(&planned, &seen));
    // It comes last, behind those of later events of its key.
    let expected = names_of([
        "follow-up-out-of-order",
        "followed-for-nothing",
        "released-by-a-failure",
    ]);
    assert_eq!(found, expected);
}

#[test]
fn what_a_failed_try_published_is_found() {
    let (planned, mut seen) = perfect();
    let traps = planned.iter().find(|event| event.step(1) == Step::Trap);
    let traps = traps.unwrap().id;
    let follow_ups = seen.follow_ups.as_mut().unwrap();
    let of = follow_ups
        .iter_mut()
        .find(|follow_up| follow_up.of == traps);
    of.unwrap().attempt = 1;
    let found = names(&violations(&planned, &seen));
    assert_eq!(found, names_of(["released-by-a-failure"]));
}

#[test]
fn follow_ups_in_the_wrong_order_are_found() {
    let (planned, mut seen) = perfect();
    seen.follow_ups.as_mut().unwrap().reverse();
    let found = names(&violations(&planned, &seen));
    assert_eq!(found, names_of(["follow-up-out-of-order"]));
}

#[test]
fn a_mishap_that_did_not_happen_is_found() {
    let (planned, mut seen) = perfect();
    seen.mishaps.remove("Stall");
    let found = names(&violations(&planned, &seen));
    assert_eq!(found, names_of(["not-injected"]));
}

#[test]
fn an_event_without_effect_is_lost() {
    let (planned, mut seen) = perfect();
    let (event, place) = place_of(&planned, &seen);
    seen.effects.remove(place);
    let follow_ups = seen.follow_ups.as_mut().unwrap();
    follow_ups.retain(|follow_up| follow_up.of != event.id);
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
        mishaps: seen.mishaps,
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
    let is_swapped = |event: &Planned| {
        let mark = event.mark.as_ref();
        mark.is_some_and(|mark| mark.wrong == Wrong::Swap)
    };
    let first = planned.iter().position(is_swapped).unwrap();
    let second = planned.iter().rposition(is_swapped).unwrap();
    let mut other = Seen {
        letters: seen.letters,
        lags: seen.lags,
        mishaps: seen.mishaps,
        ..Seen::default()
    };
    planned.swap(first, second);
    for event in planned.iter().filter(|event| event.fate() == Fate::Effect) {
        handle(&mut other, event);
    }
    other.follow_ups = seen.follow_ups;
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
    let overdue = ["a host did not stop".to_owned()];
    let found = names(&left_over(1, &overdue));
    assert_eq!(found, names_of(["overdue", "unpublished"]));
}

fn names_of<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}
