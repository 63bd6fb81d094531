//! What operators may see of the partitions that this host reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::job::{Job, brief};
use super::meters::Meters;
use super::recent::{Recent, Times};
use super::schedule::{Key, Schedule};
use crate::clock;
use crate::runtime::consumer::Outcome;

/// The partitions that this host reads now. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<BTreeMap<At, Arc<Lane>>>>);

/// A partition, as one group reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub group: String,
    pub topic: String,
    pub partition: u32,
}

/// A partition at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    pub group: String,
    pub topic: String,
    pub partition: u32,
    /// Events that are being handled.
    pub in_flight: usize,
    /// Events that were read and are not finished: those in flight, those that wait for their next
    /// try, and those behind them.
    pub held: usize,
    /// Tries that failed and were not the last, since this host has the partition.
    pub retries: u64,
    /// Events that this host gave up on, since it has the partition.
    pub dead_letters: u64,
    /// Events that retention took before they were handled, since this host has the partition.
    pub lost: u64,
    /// How long the last tries took, whatever came of them; null before the first.
    pub handler: Option<Times>,
    /// The offset before which events are being handled again, while a replay is going on.
    pub replaying_to: Option<u64>,
    /// The keys that do not get on, in the order of their offsets; each holds back its later
    /// events, and nothing else.
    pub failing: Vec<Failing>,
}

/// A key whose first unfinished event has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failing {
    pub key: String,
    pub event_id: String,
    pub offset: u64,
    /// Tries so far.
    pub attempts: u32,
    /// Why the last one failed.
    pub reason: String,
    /// When the first one did.
    pub since: DateTime<Utc>,
    pub state: State,
    /// Whether an operator has said that it is to be left out: when its pause is over, it goes to
    /// the dead letters.
    pub skipped: bool,
}

/// Why an event cannot be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unskippable {
    #[error("this host does not read the partition for the group: ask the one that does")]
    Elsewhere,
    #[error("no event failed at this offset, or another try has dealt with it")]
    NotFailing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is tried again, as often as its trigger says.
    Retrying,
    /// It was tried as often as that, or rejected, and is held all the same: its trigger says
    /// `on_exhausted = "park"`. Or its dead letter cannot be written.
    Parked,
}

impl Watch {
    /// All partitions, in the order of group, topic and number.
    pub fn views(&self) -> Vec<View> {
        let lanes: Vec<_> = {
            let lanes = lock(&self.0);
            let lanes = lanes.iter();
            lanes
                .map(|(at, lane)| (at.clone(), Arc::clone(lane)))
                .collect()
        };
        lanes.iter().map(|(at, lane)| lane.view(at)).collect()
    }

    /// Leaves out an event that has failed: instead of its next try it goes to the dead letters, and
    /// its key gets on. Lasts as long as this host reads the partition.
    pub fn skip(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        offset: u64,
    ) -> Result<(), Unskippable> {
        let at = At {
            group: group.to_owned(),
            topic: topic.to_owned(),
            partition,
        };
        let lane = lock(&self.0).get(&at).map(Arc::clone);
        let lane = lane.ok_or(Unskippable::Elsewhere)?;
        let mut troubles = lock(&lane.troubles);
        let mut failing = troubles.failing.values_mut();
        let failed = failing.find(|failing| failing.offset == offset);
        failed.ok_or(Unskippable::NotFailing)?.skipped = true;
        Ok(())
    }

    /// Shows a partition until what is returned is dropped.
    pub(super) fn show(&self, at: At) -> Shown {
        let lane = Arc::new(Lane::default());
        lock(&self.0).insert(at.clone(), Arc::clone(&lane));
        Shown {
            meters: Meters::new(&at),
            at,
            lane,
            watch: self.clone(),
        }
    }
}

/// What is kept of a partition.
#[derive(Default)]
struct Lane {
    in_flight: AtomicUsize,
    held: AtomicUsize,
    retries: AtomicU64,
    dead_letters: AtomicU64,
    lost: AtomicU64,
    recent: Recent,
    /// Only looked at when something fails.
    troubles: Mutex<Troubles>,
}

#[derive(Default)]
struct Troubles {
    failing: BTreeMap<Key, Failing>,
    replaying_to: Option<u64>,
}

impl Lane {
    fn view(&self, at: &At) -> View {
        let troubles = lock(&self.troubles);
        let mut failing: Vec<_> = troubles.failing.values().cloned().collect();
        failing.sort_by_key(|failing| failing.offset);
        View {
            group: at.group.clone(),
            topic: at.topic.clone(),
            partition: at.partition,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            handler: self.recent.times(),
            replaying_to: troubles.replaying_to,
            failing,
        }
    }
}

/// A partition that is shown, and counted in the metrics.
pub(super) struct Shown {
    meters: Meters,
    at: At,
    lane: Arc<Lane>,
    watch: Watch,
}

impl Shown {
    pub fn load<T>(&self, schedule: &Schedule<T>) {
        let in_flight = schedule.in_flight();
        if self.lane.in_flight.swap(in_flight, Ordering::Relaxed) != in_flight {
            self.meters.in_flight(in_flight);
        }
        self.lane.held.store(schedule.held(), Ordering::Relaxed);
    }

    /// A try has ended.
    pub fn handled(&self, outcome: &Outcome, taken: Duration) {
        self.lane.recent.record(taken);
        self.meters.handled(outcome, taken);
    }

    /// A try failed, and is not the last. What is known since the first one is kept.
    pub fn failed(&self, key: Key, mut failing: Failing) {
        self.lane.retries.fetch_add(1, Ordering::Relaxed);
        let mut troubles = lock(&self.lane.troubles);
        if let Some(before) = troubles.failing.get(&key) {
            failing.since = before.since;
            failing.skipped = before.skipped && before.offset == failing.offset;
        }
        troubles.failing.insert(key, failing);
        self.count_parked(&troubles);
        self.meters.retried();
    }

    /// Why the key's event failed last, if an operator has said that it is to be left out.
    pub fn skipped(&self, key: Key, offset: u64) -> Option<String> {
        let troubles = lock(&self.lane.troubles);
        let failing = troubles.failing.get(&key)?;
        let is_skipped = failing.skipped && failing.offset == offset;
        is_skipped.then(|| failing.reason.clone())
    }

    /// The key gets on again: what failed is finished.
    pub fn recovered(&self, key: Key) {
        let mut troubles = lock(&self.lane.troubles);
        troubles.failing.remove(&key);
        self.count_parked(&troubles);
    }

    pub fn gave_up(&self) {
        self.lane.dead_letters.fetch_add(1, Ordering::Relaxed);
        self.meters.gave_up();
    }

    /// Events are gone that were never handled.
    pub fn missed(&self, events: u64) {
        if events == 0 {
            return;
        }
        let At {
            group,
            topic,
            partition,
        } = &self.at;
        tracing::error!(
            group,
            event.topic = topic,
            event.partition = partition,
            events,
            "events are lost: they were not kept until the group had handled them"
        );
        self.lane.lost.fetch_add(events, Ordering::Relaxed);
        self.meters.lost(events);
    }

    pub fn replaying(&self, to: Option<u64>) {
        lock(&self.lane.troubles).replaying_to = to;
    }

    fn count_parked(&self, troubles: &Troubles) {
        let failing = troubles.failing.values();
        let parked = failing.filter(|failing| failing.state == State::Parked);
        self.meters.parked(parked.count());
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.meters.in_flight(0);
        self.meters.parked(0);
        let mut lanes = lock(&self.watch.0);
        // The same partition may be shown anew already.
        let ours = lanes.get(&self.at);
        if ours.is_some_and(|lane| Arc::ptr_eq(lane, &self.lane)) {
            lanes.remove(&self.at);
        }
    }
}

impl Failing {
    pub(super) fn now(job: &Job, reason: &str, state: State) -> Self {
        Self {
            key: job.delivery.event.key.clone(),
            event_id: job.delivery.id.clone(),
            offset: job.delivery.offset,
            attempts: job.delivery.attempt,
            reason: brief(reason).to_owned(),
            since: clock::now(),
            state,
            skipped: false,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held; if it did, each entry would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
