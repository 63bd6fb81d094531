//! How far the replays of a partition got.

use std::collections::{BTreeMap, BTreeSet};

use crate::capabilities::events::Replayed;

/// Replays that are going on, by their marks. One at a time is read; what was read of earlier ones
/// may still be unfinished.
#[derive(Default)]
pub struct Marks(BTreeMap<u64, Mark>);

struct Mark {
    unfinished: BTreeSet<u64>,
    /// Before it all was read.
    next: u64,
    is_read: bool,
}

impl Marks {
    pub fn begin(&mut self, mark: u64, from: u64) {
        let begun = Mark {
            unfinished: BTreeSet::new(),
            next: from,
            is_read: false,
        };
        self.0.insert(mark, begun);
    }

    /// `offset` was read; `to_do` says whether it has to be finished.
    pub fn read(&mut self, mark: u64, offset: u64, to_do: bool) {
        if let Some(mark) = self.0.get_mut(&mark) {
            mark.next = offset + 1;
            if to_do {
                mark.unfinished.insert(offset);
            }
        }
    }

    pub fn read_all(&mut self, mark: u64) {
        if let Some(mark) = self.0.get_mut(&mark) {
            mark.is_read = true;
        }
        self.end(mark);
    }

    pub fn finish(&mut self, mark: u64, offset: u64) {
        if let Some(mark) = self.0.get_mut(&mark) {
            mark.unfinished.remove(&offset);
        }
        self.end(mark);
    }

    /// The first one's.
    pub fn first(&self) -> Option<Replayed> {
        let (at, mark) = self.0.first_key_value()?;
        let next = mark.unfinished.first().copied().unwrap_or(mark.next);
        Some(Replayed { mark: *at, next })
    }

    fn end(&mut self, mark: u64) {
        let is_over = |mark: &Mark| mark.is_read && mark.unfinished.is_empty();
        if self.0.get(&mark).is_some_and(is_over) {
            self.0.remove(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_as_far_as_its_first_unfinished_event() {
        let mut marks = Marks::default();
        let next = |marks: &Marks| marks.first().map(|first| first.next);
        marks.begin(9, 4);
        assert_eq!(next(&marks), Some(4));
        marks.read(9, 4, true);
        marks.read(9, 5, false);
        marks.read(9, 6, true);
        assert_eq!(next(&marks), Some(4));
        marks.finish(9, 4);
        assert_eq!(next(&marks), Some(6));
        marks.finish(9, 6);
        assert_eq!(next(&marks), Some(7));
        marks.read_all(9);
        assert_eq!(next(&marks), None);
    }

    #[test]
    fn the_first_replay_counts_until_its_last_event_is_finished() {
        let mut marks = Marks::default();
        marks.begin(9, 4);
        marks.read(9, 4, true);
        marks.read_all(9);
        marks.begin(12, 0);
        let first = Replayed { mark: 9, next: 4 };
        assert_eq!(marks.first(), Some(first));
        marks.finish(9, 4);
        let second = Replayed { mark: 12, next: 0 };
        assert_eq!(marks.first(), Some(second));
    }
}
