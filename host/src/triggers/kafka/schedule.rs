//! In which order the events of a partition run, and how far the partition is done.
//!
//! Each key has a line of its own: its events run one after the other, in the order in which they
//! were admitted, while those of other keys run beside them. An event that failed goes back to the
//! head of its line and rests; the line rests with it, and nothing else does.
//!
//! Nothing here waits, sleeps or knows what an event is. Time is a parameter.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::time::Instant;

/// Bounds of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Events that run at one time.
    pub in_flight_max: usize,
    /// Events that were read and are not finished: those that run, rest, or stand behind these.
    pub held_max: usize,
    /// What these weigh, together.
    pub held_bytes_max: usize,
    /// From the first offset that is not finished to the last that was read: what is delivered
    /// again, at most, after a crash.
    pub span_max: u64,
}

/// Stands for an ordering key. Two keys in 2⁶⁴ may share one: they are then kept in order with each
/// other, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    pub fn of(key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// An event's place, from when it was admitted until it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counts the admissions: the order within a line.
    admission: u64,
    pub key: Key,
    bytes: usize,
}

/// The unfinished events of a partition.
pub struct Schedule<T> {
    bounds: Bounds,
    lines: HashMap<Key, Line<T>, BuildHasherDefault<DefaultHasher>>,
    /// Lines whose head may run, in the order in which they became so.
    ready: VecDeque<Key>,
    /// Lines that rest, and until when.
    resting: BinaryHeap<Reverse<(Instant, Key)>>,
    /// The offset that each unfinished admission stands for. Never falls with the admissions.
    unfinished: BTreeMap<u64, u64>,
    admissions: u64,
    /// The last offset that was admitted or skipped.
    read: Option<u64>,
    in_flight: usize,
    held_bytes: usize,
    held: usize,
}

/// The events of one key.
struct Line<T> {
    waiting: VecDeque<(Place, T)>,
    /// How many were taken and are neither finished nor back.
    running: usize,
    /// One that came back asked to rest until then.
    rest: Option<Instant>,
}

impl<T> Schedule<T> {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: HashMap::default(),
            ready: VecDeque::new(),
            resting: BinaryHeap::new(),
            unfinished: BTreeMap::new(),
            admissions: 0,
            read: None,
            in_flight: 0,
            held_bytes: 0,
            held: 0,
        }
    }

    /// Whether one more may be admitted.
    pub fn has_room(&self) -> bool {
        self.held < self.bounds.held_max
            && self.held_bytes < self.bounds.held_bytes_max
            && self.span() < self.bounds.span_max
    }

    /// Puts an event at the end of its key's line. Offsets do not fall from one admission to the
    /// next; several may have the same one, which is then finished when all of them are.
    pub fn admit(&mut self, offset: u64, key: Key, bytes: usize, event: T) {
        let place = Place {
            admission: self.hold(offset),
            key,
            bytes,
        };
        self.held += 1;
        self.held_bytes += bytes;
        match self.lines.entry(key) {
            Entry::Occupied(mut line) => line.get_mut().waiting.push_back((place, event)),
            Entry::Vacant(vacant) => {
                vacant.insert(Line {
                    waiting: VecDeque::from([(place, event)]),
                    running: 0,
                    rest: None,
                });
                self.ready.push_back(key);
            }
        }
    }

    /// Keeps `offset` from counting as finished until what is returned is let go, without an event.
    pub fn hold(&mut self, offset: u64) -> u64 {
        let admission = self.admissions;
        self.admissions += 1;
        self.skip(offset);
        self.unfinished.insert(admission, offset);
        admission
    }

    /// Ends a [`hold`](Self::hold).
    pub fn let_go(&mut self, held: u64) {
        self.unfinished.remove(&held);
    }

    /// An offset that nothing has to be done for.
    pub fn skip(&mut self, offset: u64) {
        self.read = self.read.max(Some(offset));
    }

    /// The partition's log is another one, and is read from `offset` on, which is earlier than what
    /// was read. What is not finished of the one before keeps this one from counting as done.
    pub fn begin_anew(&mut self, offset: u64) {
        self.read = None;
        for unfinished in self.unfinished.values_mut() {
            *unfinished = offset.min(*unfinished);
        }
    }

    /// The last offset that was admitted or skipped.
    pub fn read(&self) -> Option<u64> {
        self.read
    }

    /// Takes the event that is to run next, if one more may.
    pub fn start(&mut self) -> Option<(Place, T)> {
        if self.in_flight >= self.bounds.in_flight_max {
            return None;
        }
        let key = self.ready.pop_front()?;
        let line = self.lines.get_mut(&key).expect("a ready line is there");
        let taken = line.waiting.pop_front().expect("a ready line has a head");
        line.running += 1;
        self.in_flight += 1;
        Some(taken)
    }

    /// Takes up to `max` events that may run at once if those of one key run in the order of what
    /// is returned. They count as one in flight each; the bound for these is not looked at.
    pub fn start_many(&mut self, max: usize) -> Vec<(Place, T)> {
        let mut taken = Vec::new();
        let mut left = max;
        while left > 0
            && let Some(key) = self.ready.pop_front()
        {
            let line = self.lines.get_mut(&key).expect("a ready line is there");
            let count = left.min(line.waiting.len());
            taken.extend(line.waiting.drain(..count));
            line.running += count;
            left -= count;
        }
        self.in_flight += taken.len();
        taken.sort_by_key(|(place, _)| place.admission);
        taken
    }

    /// What was taken is finished, and its key's next may run.
    pub fn finish(&mut self, place: Place) {
        self.unfinished.remove(&place.admission);
        self.held -= 1;
        self.held_bytes -= place.bytes;
        self.stopped(place.key);
    }

    /// What was taken comes back: before all of its key that were admitted later. With `until`,
    /// the whole line rests till then.
    pub fn give_back(&mut self, place: Place, event: T, until: Option<Instant>) {
        let line = self.line(place.key);
        let later = |(other, _): &(Place, T)| other.admission < place.admission;
        let at = line.waiting.partition_point(later);
        line.waiting.insert(at, (place, event));
        line.rest = line.rest.max(until);
        self.stopped(place.key);
    }

    /// Lets the lines go on whose rest is over.
    pub fn wake(&mut self, now: Instant) {
        while let Some(Reverse((until, key))) = self.resting.peek().copied() {
            if until > now {
                break;
            }
            self.resting.pop();
            self.line(key).rest = None;
            self.ready.push_back(key);
        }
    }

    /// When the next rest is over.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.resting.peek().map(|Reverse((until, _))| *until)
    }

    /// The first offset that is not finished, and the runs of those beyond it that are; `before`
    /// are those that were finished before they were read here. `None` if nothing was read.
    pub fn done(&self, before: &[Range<u64>]) -> Option<(u64, Vec<Range<u64>>)> {
        let end = self.read? + 1;
        let mut unfinished = self.unfinished.values().copied().chain([end]);
        let mut next = unfinished.next()?;
        let mut done = Vec::new();
        let mut from = next + 1;
        for offset in unfinished {
            if from < offset {
                done.push(from..offset);
            }
            from = from.max(offset + 1);
        }
        // Of what is not read yet, no more is known than before.
        for run in before.iter().filter(|run| run.end > end) {
            let run = run.start.max(end)..run.end;
            match run.start == next {
                true => next = run.end,
                false => done.push(run),
            }
        }
        Some((next, done))
    }

    /// How many events run.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many events are not finished; those that run included.
    pub fn held(&self) -> usize {
        self.held
    }

    fn span(&self) -> u64 {
        match (self.unfinished.first_key_value(), self.read) {
            (Some((_, first)), Some(last)) => last.saturating_sub(*first),
            (None, _) | (_, None) => 0,
        }
    }

    fn line(&mut self, key: Key) -> &mut Line<T> {
        let line = self.lines.get_mut(&key);
        line.expect("a line is there as long as it runs or rests")
    }

    /// One of the line's runs has ended.
    fn stopped(&mut self, key: Key) {
        self.in_flight -= 1;
        let line = self.line(key);
        line.running -= 1;
        if line.running > 0 {
            return;
        }
        match (line.waiting.is_empty(), line.rest) {
            (true, _) => {
                self.lines.remove(&key);
            }
            (false, Some(until)) => self.resting.push(Reverse((until, key))),
            (false, None) => self.ready.push_back(key),
        }
    }
}
