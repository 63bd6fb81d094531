//! Reads a partition: admits its events to the schedule, lets them run, and completes what is done.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::Terms;
use super::delivery::{Courier, Ended, Lane};
use super::job::Job;
use super::replay::Replay;
use super::schedule::{Bounds, Key, Place, Schedule};
use super::watch::{At, Failing, Shown, Watch};
use crate::capabilities::events::{DRAIN_MS_MAX, Error, Partition, Received};

/// Events of a partition that were read and are not finished, beside those that run.
const HELD_EVENTS_MAX: usize = 1_024;
/// What these may take up.
const HELD_BYTES_MAX: usize = 16 << 20;
/// How far one key that does not get on may fall behind the others of its partition: after a crash
/// as many are delivered again.
const SPAN_OFFSETS_MAX: u64 = 1_000_000;

/// Events that may be finished before that is told to the broker, and for how long.
const UNTOLD_EVENTS_MAX: usize = 64;
const UNTOLD_MAX: Duration = Duration::from_millis(50);

/// How long events that run may take once the partition is revoked: a little less than the broker
/// waits, so that what they did is committed.
const DRAIN_MAX: Duration = Duration::from_millis(DRAIN_MS_MAX - 1_000);

/// Reads the partition until it is revoked.
pub async fn read(courier: &Courier, watch: &Watch, mut partition: Box<dyn Partition>) {
    let terms = courier.group.terms(partition.topic());
    let shown = watch.show(At {
        group: courier.group.name.clone(),
        topic: partition.topic().to_owned(),
        partition: partition.index(),
    });
    let revoked = partition.revoked();
    let lane = Lane {
        terms,
        shown: &shown,
        revoked: &revoked,
    };
    let mut desk = Desk::new(courier, terms, &shown);
    let mut running = FuturesUnordered::new();
    let mut alarm = Alarm::new();
    let mut is_revoked = pin!(revoked.cancelled());
    loop {
        if desk.is_due() && !desk.tell(&mut *partition).await {
            // Another member has it: what runs here is dropped with this.
            return;
        }
        // Kept while events end: a read that has begun is not begun again with each.
        let mut next = partition.next();
        let goes_on = loop {
            while let Some((place, job)) = desk.schedule.start() {
                running.push(one(courier, place, job, lane));
            }
            shown.load(&desk.schedule);
            if desk.is_due() {
                break true;
            }
            alarm.set(desk.alarm_at());
            tokio::select! {
                biased;
                () = &mut is_revoked => break false,
                Some(one) = running.next(), if !running.is_empty() => {
                    desk.settle(one);
                    while let Some(Some(one)) = running.next().now_or_never() {
                        desk.settle(one);
                    }
                }
                received = &mut next, if desk.reads_on() => match received {
                    Some(received) => {
                        desk.take(received);
                        break true;
                    }
                    None => break false,
                },
                replayed = again(&mut desk.replay), if desk.schedule.has_room() => {
                    desk.take_again(replayed);
                }
                () = alarm.rings() => desk.ring(),
            }
        };
        drop(next);
        if !goes_on {
            break;
        }
    }
    // What waits or rests is the next member's.
    let drained = async {
        while let Some(one) = running.next().await {
            desk.settle(one);
        }
    };
    if timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!(
            event.topic = partition.topic(),
            event.partition = partition.index(),
            "a partition went to another member while events were being handled: \
             they will be delivered again"
        );
    }
    desk.tell(&mut *partition).await;
    // Makes durable what was told.
    while partition.next().await.is_some() {}
}

/// An event that was tried.
type Tried = (Place, Box<Job>, Ended);

async fn one(courier: &Courier, place: Place, mut job: Box<Job>, lane: Lane<'_>) -> Tried {
    let ended = courier.deliver(&mut job, lane).await;
    (place, job, ended)
}

/// What a record asks of the group that reads it.
enum Asked {
    Handling,
    Replay { from: u64 },
    /// It is for another group.
    Nothing,
}

/// The next record of a replay, if there is one.
async fn again(replay: &mut Option<Replay>) -> Option<Received> {
    match replay {
        Some(replay) => replay.next().await,
        None => std::future::pending().await,
    }
}

/// What is known of the partition's events, and what of that the broker is yet to be told.
struct Desk<'a> {
    courier: &'a Courier,
    schedule: Schedule<Box<Job>>,
    shown: &'a Shown,
    /// What is read instead of the partition, until it is over.
    replay: Option<Replay>,
    /// Events that were finished since the broker was told.
    untold: usize,
    /// When it is to be told of them.
    tell_at: Option<Instant>,
}

impl<'a> Desk<'a> {
    fn new(courier: &'a Courier, terms: Terms, shown: &'a Shown) -> Self {
        let schedule = Schedule::new(Bounds {
            in_flight_max: terms.in_flight_max,
            held_max: HELD_EVENTS_MAX + terms.in_flight_max,
            held_bytes_max: HELD_BYTES_MAX,
            span_max: SPAN_OFFSETS_MAX,
        });
        Self {
            courier,
            schedule,
            shown,
            replay: None,
            untold: 0,
            tell_at: None,
        }
    }

    /// Whether the partition's next record may be taken.
    fn reads_on(&self) -> bool {
        self.replay.is_none() && self.schedule.has_room()
    }

    fn take(&mut self, received: Received) {
        match self.asks_for(&received) {
            Asked::Handling => self.admit(received.offset, received),
            Asked::Nothing => {
                self.schedule.skip(received.offset);
                self.note_finished();
            }
            Asked::Replay { from } => {
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
                self.replay = Some(replay);
            }
        }
    }

    /// What a replay reads is handled as if it lay at the mark: after all that came before it, and
    /// before what comes then, key by key. `None` is its end.
    fn take_again(&mut self, replayed: Option<Received>) {
        let Some(replay) = &self.replay else {
            return;
        };
        let (mark, held) = (replay.mark, replay.held);
        let Some(received) = replayed else {
            self.schedule.let_go(held);
            self.replay = None;
            self.shown.replaying(None);
            self.note_finished();
            return;
        };
        match self.asks_for(&received) {
            Asked::Handling => self.admit(mark, received),
            // A replay of a replay would read the same.
            Asked::Nothing | Asked::Replay { .. } => {}
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

    fn admit(&mut self, offset: u64, received: Received) {
        let job = Box::new(Job::new(received));
        let key = Key::of(&job.delivery.event.key);
        self.schedule.admit(offset, key, job.bytes(), job);
    }

    fn settle(&mut self, (place, mut job, ended): Tried) {
        match ended {
            Ended::Finished => {
                self.schedule.finish(place);
                if job.delivery.attempt > 1 {
                    self.shown.recovered(place.key);
                }
                self.note_finished();
            }
            Ended::Again {
                reason,
                pause,
                state,
            } => {
                let failing = Failing::now(&job, &reason, state);
                self.shown.failed(place.key, failing);
                job.delivery.attempt = job.delivery.attempt.saturating_add(1);
                let until = Instant::now() + pause;
                self.schedule.give_back(place, job, Some(until.into_std()));
            }
            // The partition is about to be dropped.
            Ended::Abandoned => {}
        }
    }

    fn note_finished(&mut self) {
        self.untold += 1;
        self.tell_at.get_or_insert_with(|| Instant::now() + UNTOLD_MAX);
    }

    /// When something is to be done without anything having happened.
    fn alarm_at(&self) -> Option<Instant> {
        let wakes_at = self.schedule.wakes_at().map(Instant::from_std);
        [wakes_at, self.tell_at].into_iter().flatten().min()
    }

    /// The time has come.
    fn ring(&mut self) {
        let now = Instant::now();
        self.schedule.wake(now.into_std());
        if self.tell_at.is_some_and(|at| at <= now) {
            self.untold = UNTOLD_EVENTS_MAX;
        }
    }

    fn is_due(&self) -> bool {
        self.untold >= UNTOLD_EVENTS_MAX
    }

    /// Tells the broker how far the partition is done. `false` if it is another member's.
    async fn tell(&mut self, partition: &mut dyn Partition) -> bool {
        self.untold = 0;
        self.tell_at = None;
        let Some(offset) = self.schedule.completed() else {
            return true;
        };
        match partition.complete(offset).await {
            Ok(()) => true,
            Err(Error::Lost) => false,
            // The next completion covers this one. If there is none, they are delivered again.
            Err(error @ (Error::Unavailable(_) | Error::UnknownTopic(_))) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    event.topic = partition.topic(),
                    event.partition = partition.index(),
                    event.offset = offset,
                    "could not commit that events are done"
                );
                true
            }
        }
    }
}

/// One timer, set anew as often as the time changes.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    at: Option<Instant>,
}

impl Alarm {
    fn new() -> Self {
        Self {
            sleep: Box::pin(sleep(Duration::ZERO)),
            at: None,
        }
    }

    fn set(&mut self, at: Option<Instant>) {
        if let Some(at) = at
            && self.at != Some(at)
        {
            self.sleep.as_mut().reset(at);
        }
        self.at = at;
    }

    /// Waits until the time that was set, for ever if there is none.
    async fn rings(&mut self) {
        match self.at {
            Some(_) => self.sleep.as_mut().await,
            None => std::future::pending().await,
        }
    }
}
