use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds {
    in_flight_max: 4,
    held_max: 12,
    held_bytes_max: 1_000,
    span_max: 40,
};

fn schedule() -> Schedule<u64> {
    Schedule::new(BOUNDS)
}

fn admit(schedule: &mut Schedule<u64>, offset: u64, key: &str) {
    schedule.admit(offset, Key::of(key), 1, offset);
}

fn started(schedule: &mut Schedule<u64>) -> Vec<(Place, u64)> {
    std::iter::from_fn(|| schedule.start()).collect()
}

fn runs<const N: usize>(runs: [(u64, u64); N]) -> Vec<Range<u64>> {
    runs.map(|(start, end)| start..end).into()
}

fn finish_next(schedule: &mut Schedule<u64>) {
    let (place, _) = schedule.start().unwrap();
    schedule.finish(place);
}

fn offsets(taken: &[(Place, u64)]) -> Vec<u64> {
    taken.iter().map(|(_, offset)| *offset).collect()
}

#[test]
fn keys_run_beside_each_other_and_a_keys_events_one_after_the_other() {
    let mut schedule = schedule();
    for (offset, key) in ["a", "a", "b", "a", "c"].into_iter().enumerate() {
        admit(&mut schedule, offset as u64, key);
    }
    let first = started(&mut schedule);
    assert_eq!(offsets(&first), [0, 2, 4]);
    schedule.finish(first[0].0);
    assert_eq!(offsets(&started(&mut schedule)), [1]);
}

/// The first offset that is not finished.
fn next(schedule: &Schedule<u64>) -> u64 {
    schedule.done(&[]).unwrap().0
}

#[test]
fn what_is_done_is_known_before_and_beyond_the_first_that_is_not() {
    let mut schedule = schedule();
    assert_eq!(schedule.done(&[]), None);
    for (offset, key) in [(7, "a"), (8, "b"), (11, "c"), (12, "a"), (13, "d")] {
        admit(&mut schedule, offset, key);
    }
    let taken = started(&mut schedule);
    // Nothing lies at 9 and 10.
    assert_eq!(schedule.done(&[]), Some((7, runs([(9, 11)]))));
    schedule.finish(taken[1].0);
    assert_eq!(schedule.done(&[]), Some((7, runs([(8, 11)]))));
    schedule.finish(taken[3].0);
    assert_eq!(schedule.done(&[]), Some((7, runs([(8, 11), (13, 14)]))));
    schedule.finish(taken[0].0);
    assert_eq!(schedule.done(&[]), Some((11, runs([(13, 14)]))));
    schedule.finish(taken[2].0);
    schedule.skip(14);
    assert_eq!(schedule.done(&[]), Some((12, runs([(13, 15)]))));
    finish_next(&mut schedule);
    assert_eq!(schedule.done(&[]), Some((15, runs([]))));
}

#[test]
fn what_was_done_before_it_was_read_stays_so() {
    let mut schedule = schedule();
    admit(&mut schedule, 4, "a");
    let before = [2..3, 5..8, 10..12];
    assert_eq!(schedule.done(&before), Some((4, runs([(5, 8), (10, 12)]))));
    finish_next(&mut schedule);
    assert_eq!(schedule.done(&before), Some((8, runs([(10, 12)]))));
    schedule.skip(5);
    schedule.skip(6);
    assert_eq!(schedule.done(&before), Some((8, runs([(10, 12)]))));
    schedule.skip(7);
    admit(&mut schedule, 8, "a");
    assert_eq!(schedule.done(&before), Some((8, runs([(10, 12)]))));
}

/// Such a log says nothing about what the earlier one's offsets held.
#[test]
fn a_log_that_begins_anew_is_done_as_far_as_it_was_read() {
    let mut schedule = schedule();
    admit(&mut schedule, 20, "a");
    admit(&mut schedule, 21, "b");
    let earlier = started(&mut schedule);
    schedule.finish(earlier[1].0);
    schedule.begin_anew(3);
    assert_eq!(schedule.done(&[]), None);
    admit(&mut schedule, 3, "b");
    admit(&mut schedule, 4, "c");
    assert_eq!(schedule.done(&[]), Some((3, runs([]))));
    let anew = started(&mut schedule);
    schedule.finish(anew[1].0);
    // The earlier log's holds it up: nobody can say that it is done.
    assert_eq!(schedule.done(&[]), Some((3, runs([(4, 5)]))));
    schedule.finish(earlier[0].0);
    assert_eq!(next(&schedule), 3);
}

#[test]
fn a_key_that_rests_holds_up_only_its_own() {
    let now = Instant::now();
    let until = now + Duration::from_secs(1);
    let mut schedule = schedule();
    admit(&mut schedule, 0, "a");
    let (place, event) = schedule.start().unwrap();
    admit(&mut schedule, 1, "a");
    admit(&mut schedule, 2, "b");
    schedule.give_back(place, event, Some(until));
    assert_eq!(schedule.in_flight(), 0);
    let other = started(&mut schedule);
    assert_eq!(offsets(&other), [2]);
    schedule.finish(other[0].0);
    schedule.wake(now);
    assert_eq!(offsets(&started(&mut schedule)), [0; 0]);
    assert_eq!(schedule.wakes_at(), Some(until));
    schedule.wake(until);
    assert_eq!(offsets(&started(&mut schedule)), [0]);
    assert_eq!(next(&schedule), 0);
}

#[test]
fn each_bound_holds() {
    for (bounds, admitted) in [
        (
            Bounds {
                held_max: 3,
                ..BOUNDS
            },
            3,
        ),
        (
            Bounds {
                held_bytes_max: 5,
                ..BOUNDS
            },
            5,
        ),
        (
            Bounds {
                span_max: 2,
                ..BOUNDS
            },
            3,
        ),
    ] {
        let mut schedule = Schedule::new(bounds);
        let mut count = 0;
        while schedule.has_room() {
            admit(&mut schedule, count, &format!("key-{count}"));
            count += 1;
        }
        assert_eq!(count, admitted, "{bounds:?}");
        let running = started(&mut schedule);
        assert_eq!(running.len(), BOUNDS.in_flight_max.min(admitted as usize));
        schedule.finish(running[0].0);
        assert!(schedule.has_room(), "{bounds:?}");
    }
}

#[test]
fn a_batch_takes_the_events_of_a_key_together_and_gives_them_back_in_order() {
    let now = Instant::now();
    let mut schedule = schedule();
    for (offset, key) in ["a", "b", "a", "b", "a"].into_iter().enumerate() {
        admit(&mut schedule, offset as u64, key);
    }
    let batch = schedule.start_many(4);
    assert_eq!(offsets(&batch), [0, 1, 2, 4], "a's come together, in order");
    assert!(schedule.start_many(4).is_empty(), "3 is behind 1");
    schedule.finish(batch[0].0);
    schedule.finish(batch[1].0);
    assert_eq!(next(&schedule), 2);
    schedule.give_back(batch[3].0, 4, None);
    schedule.give_back(batch[2].0, 2, Some(now));
    assert_eq!(offsets(&schedule.start_many(4)), [3]);
    schedule.wake(now);
    assert_eq!(offsets(&schedule.start_many(4)), [2, 4]);
}

#[test]
fn an_offset_that_stands_for_many_is_done_with_the_last() {
    let mut schedule = schedule();
    admit(&mut schedule, 4, "a");
    let held = schedule.hold(5);
    admit(&mut schedule, 5, "b");
    schedule.let_go(held);
    admit(&mut schedule, 6, "b");
    let taken = started(&mut schedule);
    assert_eq!(offsets(&taken), [4, 5]);
    schedule.finish(taken[0].0);
    assert_eq!(next(&schedule), 5);
    schedule.finish(taken[1].0);
    assert_eq!(next(&schedule), 6);
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Admit { key: u8, gap: u64 },
    Skip,
    Start,
    StartMany(usize),
    Finish(usize),
    GiveBack { which: usize, rest_ms: Option<u64> },
    Wake { after_ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..5, 1_u64..4).prop_map(|(key, gap)| Step::Admit { key, gap }),
        1 => Just(Step::Skip),
        5 => Just(Step::Start),
        1 => (1_usize..6).prop_map(Step::StartMany),
        5 => any::<usize>().prop_map(Step::Finish),
        2 => (any::<usize>(), proptest::option::of(0_u64..50))
            .prop_map(|(which, rest_ms)| Step::GiveBack { which, rest_ms }),
        2 => (0_u64..40).prop_map(|after_ms| Step::Wake { after_ms }),
    ]
}

/// What must hold, kept without cleverness.
struct Model {
    now: Instant,
    next: u64,
    first: u64,
    skipped: BTreeSet<u64>,
    finished: BTreeSet<u64>,
    /// Each key's unfinished offsets.
    lines: BTreeMap<u8, BTreeSet<u64>>,
    running: Vec<(Place, u64, u8)>,
    /// Whether a batch of a key is being run.
    many: bool,
}

impl Model {
    /// A key's events run from its head, one at a time unless as a batch.
    fn began(&mut self, taken: Vec<(Place, u64)>) {
        for (place, offset) in taken {
            let (key, line) = self
                .lines
                .iter()
                .find(|(_, line)| line.contains(&offset))
                .unwrap();
            let key = *key;
            let before: BTreeSet<_> = line.range(..offset).copied().collect();
            let running = self.running.iter().filter(|(_, _, other)| *other == key);
            let running: BTreeSet<_> = running.map(|(_, offset, _)| *offset).collect();
            assert_eq!(before, running, "{offset} overtakes one of its key");
            assert!(
                self.many || running.is_empty(),
                "two of one key run at once"
            );
            self.running.push((place, offset, key));
        }
    }

    /// The first offset that is not finished.
    fn first_open(&self) -> u64 {
        let open = self.lines.values().flatten().min();
        open.copied().unwrap_or(self.next)
    }

    fn is_done(&self, offset: u64) -> bool {
        self.finished.contains(&offset) || self.skipped.contains(&offset)
    }
}

fn run(steps: Vec<Step>, first: u64) {
    let mut schedule = schedule();
    let mut model = Model {
        now: Instant::now(),
        next: first,
        first,
        skipped: BTreeSet::new(),
        finished: BTreeSet::new(),
        lines: BTreeMap::new(),
        running: Vec::new(),
        many: false,
    };
    for step in steps {
        match step {
            Step::Admit { key, gap } => {
                if !schedule.has_room() {
                    continue;
                }
                let offset = model.next;
                model.next = offset + 1;
                model.lines.entry(key).or_default().insert(offset);
                schedule.admit(offset, Key::of(&key.to_string()), 1, offset);
                // Logs have holes.
                for hole in 1..gap {
                    model.skipped.insert(offset + hole);
                    schedule.skip(offset + hole);
                    model.next = offset + hole + 1;
                }
            }
            Step::Skip => {
                schedule.skip(model.next);
                model.skipped.insert(model.next);
                model.next += 1;
            }
            Step::Start => {
                model.many = false;
                let others = model.running.len();
                if let Some(taken) = schedule.start() {
                    assert!(others < BOUNDS.in_flight_max);
                    model.began(vec![taken]);
                }
            }
            Step::StartMany(max) => {
                model.many = true;
                let taken = schedule.start_many(max);
                assert!(taken.len() <= max);
                model.began(taken);
            }
            Step::Finish(which) if !model.running.is_empty() => {
                let (place, offset, key) = model.running.swap_remove(which % model.running.len());
                assert!(model.finished.insert(offset), "{offset} ran twice");
                model.lines.get_mut(&key).unwrap().remove(&offset);
                schedule.finish(place);
            }
            Step::GiveBack { which, rest_ms } if !model.running.is_empty() => {
                let (place, offset, _) = model.running.swap_remove(which % model.running.len());
                let until = rest_ms.map(|ms| model.now + Duration::from_millis(ms));
                schedule.give_back(place, offset, until);
            }
            Step::Finish(_) | Step::GiveBack { .. } => {}
            Step::Wake { after_ms } => {
                model.now += Duration::from_millis(after_ms);
                schedule.wake(model.now);
            }
        }
        assert_eq!(schedule.in_flight(), model.running.len());
        let held: usize = model.lines.values().map(BTreeSet::len).sum();
        assert_eq!(schedule.held(), held);
        assert!(held <= BOUNDS.held_max);
        if let Some((next, done)) = schedule.done(&[]) {
            assert_eq!(next, model.first_open());
            let beyond: Vec<_> = done.into_iter().flatten().collect();
            let expected = (next..model.next).filter(|offset| model.is_done(*offset));
            assert_eq!(beyond, expected.collect::<Vec<_>>());
        }
    }
    // Whatever happened: all that was admitted gets its turn, and then all is done.
    let far = model.now + Duration::from_secs(3_600);
    loop {
        for (place, offset, key) in std::mem::take(&mut model.running) {
            assert!(model.finished.insert(offset), "{offset} ran twice");
            model.lines.get_mut(&key).unwrap().remove(&offset);
            schedule.finish(place);
        }
        schedule.wake(far);
        model.many = false;
        let taken = started(&mut schedule);
        if taken.is_empty() {
            break;
        }
        model.began(taken);
    }
    assert_eq!((schedule.held(), schedule.in_flight()), (0, 0));
    let all = (model.next > model.first).then(|| (model.next, vec![]));
    assert_eq!(schedule.done(&[]), all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_nothing_is_lost_doubled_or_overtaken(
        steps in proptest::collection::vec(step(), 0..200),
        first in 0_u64..3,
    ) {
        run(steps, first);
    }
}
