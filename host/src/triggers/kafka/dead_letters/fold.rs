//! Which letters of a partition are open: what is left when it is read from its beginning.

use std::collections::{BTreeMap, HashMap};

use crate::capabilities::events::{DeadLetter, Received};

/// Open letters of one partition that are known at one time, the oldest. Newer ones are there once
/// these are redriven or discarded.
pub const OPEN_MAX: usize = 100_000;

/// The open letters, after everything before `next` was read.
#[derive(Debug, Default)]
pub struct Fold {
    /// The offset to read on from.
    pub next: u64,
    open: BTreeMap<u64, Entry>,
    /// Where the events came from: one that was given up on twice, because a host died in between,
    /// is one letter.
    sources: HashMap<Source, u64>,
    /// Later copies of a letter, and its offset.
    copies: HashMap<u64, u64>,
    /// Letters were left out for lack of room.
    is_cut: bool,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    source: Source,
    is_event: bool,
}

/// Whose a letter is. Those of one owner have an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    pub group: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Source {
    group: String,
    topic: String,
    partition: u32,
    offset: u64,
}

/// A letter, as far as the fold knows it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub offset: u64,
    pub owner: &'a Owner,
    /// False if no component can make anything of it.
    pub is_event: bool,
}

impl Fold {
    /// Takes the next record into account.
    pub fn read(&mut self, received: Received) {
        self.next = received.offset + 1;
        if let Some(resolution) = received.record.resolution {
            self.close(resolution.offset);
        } else if let Some(letter) = received.record.dead_letter {
            self.open(received.offset, letter, received.record.event.key);
        }
    }

    fn open(&mut self, offset: u64, letter: DeadLetter, key: String) {
        let source = Source {
            group: letter.group.clone(),
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
        };
        if let Some(first) = self.sources.get(&source) {
            self.copies.insert(offset, *first);
            return;
        }
        if self.open.len() >= OPEN_MAX {
            self.is_cut = true;
            return;
        }
        self.sources.insert(source.clone(), offset);
        let owner = Owner {
            group: letter.group,
            key,
        };
        let entry = Entry {
            owner,
            source,
            is_event: letter.attempts > 0 && letter.cut_bytes.is_none(),
        };
        self.open.insert(offset, entry);
    }

    fn close(&mut self, offset: u64) {
        let first = self.copies.remove(&offset).unwrap_or(offset);
        if let Some(entry) = self.open.remove(&first) {
            self.sources.remove(&entry.source);
            self.copies.retain(|_, of| *of != first);
        }
    }

    /// What lies before `start` is gone: its time was up.
    pub fn forget_before(&mut self, start: u64) {
        while let Some((offset, _)) = self.open.first_key_value() {
            let offset = *offset;
            if offset >= start {
                break;
            }
            self.close(offset);
        }
        self.next = self.next.max(start);
    }

    /// Whether there is room again for letters that were left out: then all is read anew.
    pub fn has_gaps(&self) -> bool {
        self.is_cut && self.open.len() < OPEN_MAX
    }

    /// The open letters, in their order.
    pub fn letters(&self) -> impl Iterator<Item = Known<'_>> {
        self.open.iter().map(|(offset, entry)| Known {
            offset: *offset,
            owner: &entry.owner,
            is_event: entry.is_event,
        })
    }

    pub fn find(&self, offset: u64) -> Option<Known<'_>> {
        let (offset, entry) = self.open.get_key_value(&offset)?;
        Some(Known {
            offset: *offset,
            owner: &entry.owner,
            is_event: entry.is_event,
        })
    }

    /// The first open letter of the same owner before this one.
    pub fn before(&self, letter: Known<'_>) -> Option<u64> {
        let earlier = self.open.range(..letter.offset);
        let mut earlier = earlier.filter(|(_, entry)| entry.owner == *letter.owner);
        earlier.next().map(|(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::capabilities::events::{Event, Record, Resolution, Resolved};

    fn record(offset: u64, key: &str) -> Received {
        let event = Event {
            kind: "Counted".to_owned(),
            key: key.to_owned(),
            stream_version: 0,
            data: "{}".to_owned(),
        };
        Received {
            topic: "facts.dlq".to_owned(),
            partition: 0,
            offset,
            record: Record::new(Uuid::from_u128(1), "tests".to_owned(), 0, event),
            malformed: None,
        }
    }

    fn letter(offset: u64, group: &str, key: &str, from: u64) -> Received {
        let mut received = record(offset, key);
        received.record.dead_letter = Some(DeadLetter {
            reason: "it failed".to_owned(),
            attempts: 1,
            group: group.to_owned(),
            component: "counter".to_owned(),
            version: "1".to_owned(),
            topic: "facts".to_owned(),
            partition: 0,
            offset: from,
            cut_bytes: None,
        });
        received
    }

    fn resolution(offset: u64, of: u64) -> Received {
        let mut received = record(offset, "");
        received.record.resolution = Some(Resolution {
            outcome: Resolved::Discarded,
            offset: of,
        });
        received
    }

    fn fold(records: Vec<Received>) -> Fold {
        let mut fold = Fold::default();
        records.into_iter().for_each(|record| fold.read(record));
        fold
    }

    fn open(fold: &Fold) -> Vec<u64> {
        fold.letters().map(|letter| letter.offset).collect()
    }

    #[test]
    fn a_letter_is_open_until_it_is_resolved() {
        let mut fold = fold(vec![
            letter(0, "a", "lamp", 7),
            letter(1, "a", "fan", 8),
            resolution(2, 0),
        ]);
        assert_eq!((open(&fold), fold.next), (vec![1], 3));
        fold.forget_before(2);
        assert_eq!((open(&fold), fold.next), (vec![], 3));
    }

    #[test]
    fn copies_of_a_letter_are_one_and_are_closed_together() {
        let copies = || {
            vec![
                letter(0, "a", "lamp", 7),
                letter(1, "b", "lamp", 7),
                letter(2, "a", "lamp", 7),
            ]
        };
        assert_eq!(open(&fold(copies())), [0, 1]);
        for of in [0, 2] {
            let mut records = copies();
            records.push(resolution(3, of));
            assert_eq!(open(&fold(records)), [1], "{of}");
        }
    }

    #[test]
    fn one_given_up_on_again_after_its_resolution_is_open_again() {
        let again = fold(vec![
            letter(0, "a", "lamp", 7),
            resolution(1, 0),
            letter(2, "a", "lamp", 7),
        ]);
        assert_eq!(open(&again), [2]);
    }

    #[test]
    fn a_letter_comes_after_an_earlier_one_of_its_key_and_group_only() {
        let fold = fold(vec![
            letter(0, "a", "lamp", 1),
            letter(1, "b", "lamp", 1),
            letter(2, "a", "fan", 2),
            letter(3, "a", "lamp", 3),
        ]);
        let before = |offset| fold.before(fold.find(offset).unwrap());
        assert_eq!([0, 1, 2, 3].map(before), [None, None, None, Some(0)]);
    }
}
