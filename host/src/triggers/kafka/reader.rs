//! Reads a partition: takes its records, lets them run, and completes what is done.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::delivery::{Courier, Lane};
use super::desk::Desk;
use super::watch::{At, Watch};
use crate::capabilities::events::{DRAIN_MS_MAX, Partition};

/// Records that are taken before those that run are looked after.
const BURST_EVENTS_MAX: usize = 64;

/// How long events that run may take once the partition is revoked: a little less than the broker
/// waits, so that what they did is committed.
const DRAIN_MAX: Duration = Duration::from_millis(DRAIN_MS_MAX - 1_000);

/// Reads the partition until it is revoked. What runs is finished then; it is dropped if the
/// partition was lost, so that no two members handle one key for long.
pub async fn read(courier: &Courier, watch: &Watch, partition: Box<dyn Partition>) {
    let lost = partition.lost();
    let (topic, index) = (partition.topic().to_owned(), partition.index());
    let reading = until_revoked(courier, watch, partition);
    // It ends by itself, too, where the broker does not take what is done any more.
    lost.run_until_cancelled(reading).await;
    if lost.is_cancelled() {
        tracing::warn!(
            group = courier.group.name,
            event.topic = topic,
            event.partition = index,
            "a partition was lost: what was being handled is dropped, and delivered again"
        );
    }
}

async fn until_revoked(courier: &Courier, watch: &Watch, mut partition: Box<dyn Partition>) {
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
    let mut desk = Desk::new(courier, terms, &shown, partition.progress().clone());
    let mut running = FuturesUnordered::new();
    let mut alarm = Alarm::new();
    let mut is_revoked = pin!(revoked.cancelled());
    'reading: loop {
        shown.missed(partition.missed());
        if let Some(progress) = desk.due() {
            let mut telling = partition.complete(progress);
            let told = loop {
                while let Some(work) = desk.start() {
                    running.push(work.run(courier, lane));
                }
                tokio::select! {
                    biased;
                    told = &mut telling => break told,
                    Some(worked) = running.next(), if !running.is_empty() => desk.settle(worked),
                }
            };
            drop(telling);
            if !desk.told(told, &*partition) {
                // Another member has it: what runs here is dropped with this.
                return;
            }
        }
        // What is there is taken at once. The read that has to wait is kept while events end: it is
        // not begun again with each of them.
        let mut taken = 0;
        let mut next = loop {
            let mut next = partition.next();
            if taken == BURST_EVENTS_MAX || !desk.reads_on() {
                break next;
            }
            match (&mut next).now_or_never() {
                Some(Some(received)) => desk.take(received),
                Some(None) => break 'reading,
                None => break next,
            }
            taken += 1;
        };
        loop {
            while let Some(work) = desk.start() {
                running.push(work.run(courier, lane));
            }
            desk.show();
            if desk.is_due() {
                continue 'reading;
            }
            alarm.set(desk.alarm_at());
            tokio::select! {
                biased;
                () = &mut is_revoked => break 'reading,
                () = alarm.rings() => desk.ring(),
                Some(worked) = running.next(), if !running.is_empty() => desk.settle(worked),
                received = &mut next, if desk.reads_on() => {
                    let Some(received) = received else {
                        break 'reading;
                    };
                    desk.take(received);
                    continue 'reading;
                }
                replayed = desk.replayed(), if desk.replays() => desk.take_again(replayed),
            }
        }
    }
    shown.missed(partition.missed());
    // What waits or rests is the next member's.
    let drained = async {
        while let Some(worked) = running.next().await {
            desk.settle(worked);
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
    if let Some(progress) = desk.last() {
        let told = partition.complete(progress).await;
        desk.told(told, &*partition);
    }
    // Makes durable what was told.
    while partition.next().await.is_some() {}
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
