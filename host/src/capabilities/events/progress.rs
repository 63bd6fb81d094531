//! How far a group got in a partition: the offset that brokers know, and a note beside it.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// Of a note. Kafka takes 4,096 unless it is told otherwise (`offset.metadata.max.bytes`).
pub const NOTE_BYTES_MAX: usize = 3_072;

/// What such a note holds before it is made text.
const PLAIN_BYTES_MAX: usize = NOTE_BYTES_MAX / 4 * 3;

/// Events whose tries are noted: the first ones.
const TRIED_MAX: usize = 64;

/// The first number of a note: how it is written.
const NOTE_VERSION: u64 = 2;

/// What a number takes up at most: seven bits a byte.
const NUMBER_BYTES_MAX: usize = 10;

/// How far a group got in a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first offset that is not done.
    pub next: u64,
    /// What is done beyond it: runs of offsets, in order, none empty.
    pub done: Vec<Range<u64>>,
    /// How often events were tried that are not done, by offset.
    pub tried: BTreeMap<u64, Tried>,
    pub replay: Option<Replayed>,
}

/// How often an event was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    pub times: u32,
    /// Those among them that ended in a trap or in no time left.
    pub faults: u32,
}

/// How far a replay got that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The offset of the record that asked for it; not done, and nothing beyond it is.
    pub mark: u64,
    /// Before it the replay is done.
    pub next: u64,
}

impl Progress {
    /// All up to and including `offset` is done, and nothing beyond it.
    pub fn through(offset: u64) -> Self {
        Self {
            next: offset + 1,
            ..Self::default()
        }
    }

    /// How many offsets are done.
    pub fn count(&self) -> u64 {
        let beyond = self.done.iter().map(|run| run.end - run.start);
        self.next + beyond.sum::<u64>()
    }

    pub fn is_done(&self, offset: u64) -> bool {
        let after = self.done.partition_point(|run| run.end <= offset);
        let run = self.done.get(after);
        offset < self.next || run.is_some_and(|run| run.contains(&offset))
    }

    /// How many of the offsets from `start` to before `end` are not done.
    pub fn left(&self, start: u64, end: u64) -> u64 {
        let start = start.max(self.next);
        let done = self.done.iter().map(|run| {
            let run = run.start.max(start)..run.end.min(end);
            run.end.saturating_sub(run.start)
        });
        end.saturating_sub(start).saturating_sub(done.sum())
    }

    /// What is kept beside `next`, as text; empty if there is nothing. Of what is too much for
    /// [`NOTE_BYTES_MAX`], the last runs are left off: these events are delivered again.
    ///
    /// It says which `next` it belongs to: somebody who knows no notes may move that alone, and what
    /// was done beyond the one is not done beyond the other.
    pub fn note(&self) -> String {
        if self.done.is_empty() && self.tried.is_empty() && self.replay.is_none() {
            return String::new();
        }
        let mut plain = Vec::new();
        number(&mut plain, NOTE_VERSION);
        number(&mut plain, self.next);
        match self.replay {
            None => number(&mut plain, 0),
            Some(Replayed { mark, next }) => {
                number(&mut plain, 1);
                number(&mut plain, mark);
                number(&mut plain, next);
            }
        }
        let tried: Vec<_> = self.tried.range(self.next..).take(TRIED_MAX).collect();
        number(&mut plain, tried.len() as u64);
        let mut last = self.next;
        for (offset, tried) in tried {
            number(&mut plain, offset - last);
            number(&mut plain, u64::from(tried.times));
            number(&mut plain, u64::from(tried.faults));
            last = *offset;
        }
        let mut last = self.next;
        for run in &self.done {
            if plain.len() + 2 * NUMBER_BYTES_MAX > PLAIN_BYTES_MAX {
                break;
            }
            number(&mut plain, run.start - last);
            number(&mut plain, run.end - run.start);
            last = run.end;
        }
        BASE64_STANDARD_NO_PAD.encode(plain)
    }

    /// What was kept. A note that somebody else wrote, or beside another offset, says nothing.
    pub fn read(next: u64, note: &str) -> Self {
        let bare = Self {
            next,
            ..Self::default()
        };
        if note.is_empty() {
            return bare;
        }
        let plain = BASE64_STANDARD_NO_PAD.decode(note).ok();
        plain
            .and_then(|plain| Self::parse(next, &plain))
            .unwrap_or(bare)
    }

    fn parse(next: u64, mut plain: &[u8]) -> Option<Self> {
        let mut progress = Self {
            next,
            ..Self::default()
        };
        let plain = &mut plain;
        if (take(plain)?, take(plain)?) != (NOTE_VERSION, next) {
            return None;
        }
        progress.replay = match take(plain)? {
            0 => None,
            _ => Some(Replayed {
                mark: take(plain)?,
                next: take(plain)?,
            }),
        };
        let mut last = next;
        for _ in 0..take(plain)? {
            last = last.checked_add(take(plain)?)?;
            let tried = Tried {
                times: u32::try_from(take(plain)?).ok()?,
                faults: u32::try_from(take(plain)?).ok()?,
            };
            progress.tried.insert(last, tried);
        }
        let mut last = next;
        while !plain.is_empty() {
            let start = last.checked_add(take(plain)?)?;
            last = start.checked_add(take(plain)?)?;
            progress.done.push(start..last);
        }
        Some(progress)
    }
}

/// Writes a number, seven bits a byte, the low ones first.
fn number(plain: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        plain.push(number as u8 | 0x80);
        number >>= 7;
    }
    plain.push(number as u8);
}

fn take(plain: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (first, rest) = plain.split_first()?;
        *plain = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRIED: Tried = Tried {
        times: 7,
        faults: 3,
    };

    #[test]
    fn what_is_done_in_one_piece_needs_no_note() {
        assert_eq!(Progress::through(41).note(), "");
        assert_eq!(Progress::read(42, ""), Progress::through(41));
    }

    #[test]
    fn an_offset_is_done_before_the_first_that_is_not_and_within_a_run() {
        let progress = Progress {
            done: vec![7..9, 12..13],
            ..Progress::through(4)
        };
        let done = (0..15).filter(|offset| progress.is_done(*offset));
        assert_eq!(done.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 7, 8, 12]);
        assert_eq!(progress.count(), 8);
        assert_eq!((progress.left(0, 15), progress.left(8, 11)), (7, 2));
    }

    #[test]
    fn a_note_has_a_bound_and_what_it_leaves_off_is_the_last() {
        let progress = Progress {
            done: (0..10_000).map(|n| n * 300 + 1..n * 300 + 200).collect(),
            tried: (0..10_000).map(|n| (n * 300, TRIED)).collect(),
            ..Progress::default()
        };
        let note = progress.note();
        assert!(note.len() <= NOTE_BYTES_MAX);
        let read = Progress::read(0, &note);
        assert!(read.done.len() > 400 && progress.done.starts_with(&read.done));
        assert_eq!(read.tried.len(), TRIED_MAX);
    }

    /// Runs from the gaps before them and their lengths.
    fn runs_after(next: u64, runs: Vec<(u64, u64)>) -> Vec<Range<u64>> {
        let mut last = next;
        let run = |(gap, length)| {
            let run = last + gap..last + gap + length;
            last = run.end;
            run
        };
        runs.into_iter().map(run).collect()
    }

    proptest! {
        #[test]
        fn what_is_noted_is_read(
            next in 0_u64..1 << 40,
            runs in prop::collection::vec((1_u64..1_000, 1_u64..100_000), 0..100),
            tried in prop::collection::btree_map(0_u64..1_000, (1_u32.., 0_u32..), 0..TRIED_MAX),
            replay in prop::option::of((any::<u64>(), any::<u64>())),
        ) {
            let progress = Progress {
                next,
                done: runs_after(next, runs),
                tried: tried
                    .into_iter()
                    .map(|(at, (times, faults))| (next + at, Tried { times, faults }))
                    .collect(),
                replay: replay.map(|(mark, next)| Replayed { mark, next }),
            };
            prop_assert_eq!(Progress::read(next, &progress.note()), progress);
        }

        /// Whoever takes over never skips what was not done, however much it was.
        #[test]
        fn nothing_is_read_as_done_that_was_not(
            next in 0_u64..1_000,
            runs in prop::collection::vec((1_u64..1 << 30, 1_u64..1 << 30), 0..2_000),
            cut in 0_usize..NOTE_BYTES_MAX,
        ) {
            let progress = Progress {
                next,
                done: runs_after(next, runs),
                ..Progress::default()
            };
            let note = progress.note();
            prop_assert!(note.len() <= NOTE_BYTES_MAX);
            let read = Progress::read(progress.next, &note);
            prop_assert!(progress.done.starts_with(&read.done));
            let cut = Progress::read(progress.next, note.get(..cut).unwrap_or(&note));
            prop_assert!(progress.done.starts_with(&cut.done));
        }

        #[test]
        fn a_note_beside_another_offset_says_nothing(
            next in 0_u64..1_000,
            other in 0_u64..1_000,
            runs in prop::collection::vec((1_u64..9, 1_u64..9), 1..9),
        ) {
            prop_assume!(next != other);
            let progress = Progress { next, done: runs_after(next, runs), ..Progress::default() };
            let bare = Progress { next: other, ..Progress::default() };
            prop_assert_eq!(Progress::read(other, &progress.note()), bare);
        }

        #[test]
        fn a_note_of_somebody_elses_says_nothing(note in ".*|[A-Za-z0-9+/]{0,64}") {
            let bare = Progress { next: 500, ..Progress::default() };
            prop_assert_eq!(Progress::read(500, &note), bare);
        }
    }
}
