//! What is to be done with a partition's records, and what was.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Terms;
use super::delivery::{Courier, Ended};
use super::job::Job;
use super::replay::{Marks, Replay};
use super::schedule::{Bounds, Key, Place, Schedule};
use super::watch::{Failing, Shown};
use super::work::{Work, Worked};
use crate::capabilities::events::{Error, Partition, Progress, Received, Replayed, Tried};

/// Events of a partition that were read and are not finished, beside those that run.
const HELD_EVENTS_MAX: usize = 1_024;
/// What these may take up.
const HELD_BYTES_MAX: usize = 16 << 20;
/// How far one key that does not get on may fall behind the others of its partition: as much is read
/// again after a crash, and skipped where it is known to be done.
const SPAN_OFFSETS_MAX: u64 = 1_000_000;

/// Events that may be finished before that is told to the broker, and for how long.
const UNTOLD_EVENTS_MAX: usize = 64;
const UNTOLD_MAX: Duration = Duration::from_millis(50);
/// How long to wait before the broker is told again what it could not take.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// What a record asks of the group that reads it.
enum Asked {
    Handling,
    Replay {
        from: u64,
    },
    /// It is for another group.
    Nothing,
}

/// What is known of the partition's events, and what of that the broker is yet to be told.
pub struct Desk<'a> {
    courier: &'a Courier,
    schedule: Schedule<Box<Job>>,
    /// Events of one call, if the component takes more than one.
    batch_max: Option<usize>,
    shown: &'a Shown,
    /// What is read instead of the partition, until it is over.
    replay: Option<Replay>,
    marks: Marks,
    /// What was done when the partition came, beyond the first event that was not.
    done_before: Vec<Range<u64>>,
    /// Where the partition was to begin.
    begins_at: u64,
    /// How far a replay had got by then.
    replayed_before: Option<Replayed>,
    /// How often events were tried that are not finished, by offset.
    tried: BTreeMap<u64, Tried>,
    /// Events that were finished or tried since the broker was told.
    untold: usize,
    /// When it is to be told of them.
    tell_at: Option<Instant>,
}

impl<'a> Desk<'a> {
    /// `before` is how far the group had got.
    pub fn new(courier: &'a Courier, terms: Terms, shown: &'a Shown, before: Progress) -> Self {
        let schedule = Schedule::new(Bounds {
            in_flight_max: terms.in_flight_max,
            held_max: HELD_EVENTS_MAX + terms.in_flight_max,
            held_bytes_max: HELD_BYTES_MAX,
            span_max: SPAN_OFFSETS_MAX,
        });
        Self {
            courier,
            batch_max: courier
                .handler
                .takes_batches()
                .then_some(terms.batch_events_max),
            schedule,
            shown,
            replay: None,
            marks: Marks::default(),
            done_before: before.done,
            begins_at: before.next,
            replayed_before: before.replay,
            tried: before.tried,
            untold: 0,
            tell_at: None,
        }
    }

    /// Whether the partition's next record may be taken.
    pub fn reads_on(&self) -> bool {
        self.replay.is_none() && self.schedule.has_room()
    }

    pub fn take(&mut self, received: Received) {
        let is_earlier = self
            .schedule
            .read()
            .is_some_and(|read| received.offset <= read);
        if is_earlier || received.offset < self.begins_at {
            self.forget(received.offset);
        }
        match self.asks_for(&received) {
            _ if self.was_done(received.offset) => self.skip(received.offset),
            Asked::Nothing => self.skip(received.offset),
            Asked::Handling => {
                let tried = self.tried.get(&received.offset).copied();
                let job = Box::new(Job::new(received, tried.unwrap_or_default()));
                self.admit(job.delivery.offset, job);
            }
            Asked::Replay { from } => {
                let from = match self.replayed_before {
                    Some(before) if before.mark == received.offset => {
                        self.replayed_before = None;
                        from.max(before.next)
                    }
                    Some(_) | None => from,
                };
                let Courier { broker, group, .. } = self.courier;
                let held = self.schedule.hold(received.offset);
                let replay = Replay::new(Arc::clone(broker), group.pace, &received, from, held);
                tracing::info!(
                    group = group.name,
                    event.topic = received.topic,
                    event.partition = received.partition,
                    from,
                    to = replay.mark,
                    "events are handled again"
                );
                self.shown.replaying(Some(replay.mark));
                self.marks.begin(replay.mark, from);
                self.replay = Some(replay);
            }
        }
    }

    /// Whether a replay's next record may be taken.
    pub fn replays(&self) -> bool {
        self.replay.is_some() && self.schedule.has_room()
    }

    /// The next record of the replay.
    pub async fn replayed(&mut self) -> Option<Received> {
        match &mut self.replay {
            Some(replay) => replay.next().await,
            None => None,
        }
    }

    /// What a replay reads is handled as if it lay at the mark: after all that came before it, and
    /// before what comes then, key by key. `None` is its end.
    pub fn take_again(&mut self, replayed: Option<Received>) {
        let Some(replay) = &self.replay else {
            return;
        };
        let (mark, held) = (replay.mark, replay.held);
        let Some(received) = replayed else {
            self.schedule.let_go(held);
            self.marks.read_all(mark);
            self.replay = None;
            self.shown.replaying(None);
            self.note_news();
            return;
        };
        let to_do = match self.asks_for(&received) {
            Asked::Handling => true,
            // A replay of a replay would read the same.
            Asked::Nothing | Asked::Replay { .. } => false,
        };
        self.marks.read(mark, received.offset, to_do);
        if to_do {
            let mut job = Box::new(Job::new(received, Tried::default()));
            job.replayed = Some(mark);
            self.admit(mark, job);
        }
    }

    fn asks_for(&self, received: &Received) -> Asked {
        let group = &self.courier.group.name;
        let record = &received.record;
        match (&record.replay, &record.only_for) {
            (Some(replay), _) if replay.group == *group => Asked::Replay { from: replay.from },
            (Some(_), _) => Asked::Nothing,
            (None, Some(other)) if other != group => Asked::Nothing,
            (None, Some(_) | None) => Asked::Handling,
        }
    }

    /// What was known is of a log that is no more: this one's `offset` comes now.
    fn forget(&mut self, offset: u64) {
        self.schedule.begin_anew(offset);
        self.marks = Marks::default();
        self.begins_at = 0;
        self.done_before.clear();
        self.replayed_before = None;
        self.tried.clear();
    }

    fn was_done(&self, offset: u64) -> bool {
        let before = &self.done_before;
        let run = before.get(before.partition_point(|run| run.end <= offset));
        run.is_some_and(|run| run.contains(&offset))
    }

    fn skip(&mut self, offset: u64) {
        self.schedule.skip(offset);
        self.note_news();
    }

    fn admit(&mut self, offset: u64, job: Box<Job>) {
        let key = Key::of(&job.delivery.event.key);
        self.schedule.admit(offset, key, job.bytes(), job);
    }

    /// What is to be run beside what runs, if anything is.
    pub fn start(&mut self) -> Option<Work> {
        let Some(batch_max) = self.batch_max else {
            let (place, job) = self.schedule.start()?;
            return Some(Work::One(place, job));
        };
        // One batch at a time: what comes meanwhile makes the next one larger.
        if self.schedule.in_flight() > 0 {
            return None;
        }
        let batch = self.schedule.start_many(batch_max);
        (!batch.is_empty()).then_some(Work::Many(batch))
    }

    pub fn settle(&mut self, worked: Worked) {
        match worked {
            Worked::One(place, job, ended) => self.settle_one(place, job, ended),
            Worked::Many(many) => {
                for (place, job, ended) in many {
                    self.settle_one(place, job, ended);
                }
            }
        }
    }

    fn settle_one(&mut self, place: Place, mut job: Box<Job>, ended: Ended) {
        match ended {
            Ended::Finished => {
                self.schedule.finish(place);
                match job.replayed {
                    Some(mark) => self.marks.finish(mark, job.delivery.offset),
                    None => {
                        self.tried.remove(&job.delivery.offset);
                    }
                }
                if job.delivery.attempt > 1 {
                    self.shown.recovered(place.key);
                }
                self.note_news();
            }
            Ended::Again {
                reason,
                pause,
                state,
            } => {
                let failing = Failing::now(&job, &reason, state);
                self.shown.failed(place.key, failing);
                if job.replayed.is_none() {
                    self.tried.insert(job.delivery.offset, job.tried());
                    self.note_news();
                }
                job.delivery.attempt = job.delivery.attempt.saturating_add(1);
                let until = Instant::now() + pause;
                self.schedule.give_back(place, job, Some(until.into_std()));
            }
            Ended::HeldBack => self.schedule.give_back(place, job, None),
            // The partition is about to be dropped.
            Ended::Abandoned => {}
        }
    }

    pub fn show(&self) {
        self.shown.load(&self.schedule);
    }

    fn note_news(&mut self) {
        self.untold += 1;
        self.tell_at
            .get_or_insert_with(|| Instant::now() + UNTOLD_MAX);
    }

    /// When something is to be done without anything having happened.
    pub fn alarm_at(&self) -> Option<Instant> {
        let wakes_at = self.schedule.wakes_at().map(Instant::from_std);
        [wakes_at, self.tell_at].into_iter().flatten().min()
    }

    /// The time has come.
    pub fn ring(&mut self) {
        let now = Instant::now();
        self.schedule.wake(now.into_std());
        if self.tell_at.is_some_and(|at| at <= now) {
            self.untold = UNTOLD_EVENTS_MAX;
        }
    }

    pub fn is_due(&self) -> bool {
        self.untold >= UNTOLD_EVENTS_MAX
    }

    /// How far the partition is done, when it is time to tell the broker.
    pub fn due(&mut self) -> Option<Progress> {
        self.is_due().then(|| self.last()).flatten()
    }

    /// How far the partition is done, if the broker does not know.
    pub fn last(&mut self) -> Option<Progress> {
        self.tell_at = None;
        match std::mem::take(&mut self.untold) {
            0 => None,
            _ => self.progress(),
        }
    }

    fn progress(&self) -> Option<Progress> {
        let (next, mut done) = self.schedule.done(&self.done_before)?;
        let before = || self.replayed_before.filter(|before| before.mark >= next);
        let replay = self.marks.first().or_else(before);
        if let Some(replay) = replay {
            // It comes before what lies beyond its mark, also if it is begun again.
            done.retain(|run| run.start < replay.mark);
        }
        let tried = self.tried.range(next..);
        Some(Progress {
            next,
            done,
            tried: tried.map(|(offset, tried)| (*offset, *tried)).collect(),
            replay,
        })
    }

    /// What the broker said to it. `false` if the partition is another member's.
    pub fn told(&mut self, told: Result<(), Error>, partition: &dyn Partition) -> bool {
        match told {
            Ok(()) => true,
            Err(Error::Lost) => false,
            // Said again, also if nothing comes after it.
            Err(error @ (Error::Unavailable(_) | Error::UnknownTopic(_) | Error::Refused(_))) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    event.topic = partition.topic(),
                    event.partition = partition.index(),
                    "could not commit that events are done"
                );
                self.untold = self.untold.max(1);
                self.tell_at = Some(Instant::now() + REFUSED_PAUSE);
                true
            }
        }
    }
}
