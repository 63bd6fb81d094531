//! Keeps a member in its group: polls, opens a lane for each partition, and answers rebalances.
//!
//! A rebalance is answered late on purpose: what is being handled is finished and committed before
//! a partition goes to another member.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commits::{ANSWER_MS_MAX, Commits, blocking};
use super::lane::{Dropped, Lane};
use super::rebalance::{Change, Context, assign, list, log_failure, unassign};
use super::{Options, client, short};
use crate::capabilities::events::{DRAIN_MS_MAX, Partition, Progress};

const HEARTBEAT_MS: u64 = 1_000;

/// What the client may read ahead of each partition: whichever comes first.
const RECORDS_AHEAD_MAX: u64 = 4_096;
const KIB_AHEAD_MAX: u64 = 1_024;

/// How soon it looks again whether there is room to read ahead.
const AHEAD_AGAIN_MS: u64 = 10;

/// How long the broker may hold back an answer when there is nothing to read.
const FETCH_WAIT_MS: u64 = 100;
const TOPICS_REFRESH_MS: u64 = 30_000;

const ERROR_PAUSE_MS: u64 = 100;

/// A partition by full topic and number.
pub type At = (String, i32);

/// A consumer in its group.
pub type Membership = StreamConsumer<Context>;

/// One member at work.
pub struct Driver {
    options: Arc<Options>,
    consumer: Arc<Membership>,
    assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    changes: mpsc::UnboundedReceiver<Change>,
    lanes: HashMap<At, Handle>,
    commits: Commits,
    /// Tells which lanes were dropped by those who read them.
    dropped: mpsc::UnboundedReceiver<Dropped>,
    drops: mpsc::UnboundedSender<Dropped>,
    /// How many lanes were opened.
    opened: u64,
    /// The revocation that waits for lanes to be dropped.
    revoking: Option<Revoking>,
}

/// What the driver keeps of a lane.
struct Handle {
    /// Which one it is of those that the partition has had.
    lane: u64,
    revoked: CancellationToken,
    /// Another member has its partition already.
    lost: CancellationToken,
}

struct Revoking {
    partitions: Vec<At>,
    /// Another member has them already.
    lost: bool,
    deadline: Instant,
}

impl Driver {
    pub fn subscribe(
        options: &Arc<Options>,
        group: &str,
        topics: &[String],
        assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    ) -> KafkaResult<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let context = Context::new(group, sender);
        let consumer: Membership = client(options)
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.offset.store", "false")
            // It would leave out what is done beyond the first event that is not.
            .set("enable.auto.commit", "false")
            .set("session.timeout.ms", options.session_ms.to_string())
            .set("heartbeat.interval.ms", HEARTBEAT_MS.to_string())
            .set("max.poll.interval.ms", options.poll_ms_max.to_string())
            .set("queued.min.messages", RECORDS_AHEAD_MAX.to_string())
            .set("queued.max.messages.kbytes", KIB_AHEAD_MAX.to_string())
            .set("fetch.queue.backoff.ms", AHEAD_AGAIN_MS.to_string())
            .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
            .set(
                "topic.metadata.refresh.interval.ms",
                TOPICS_REFRESH_MS.to_string(),
            )
            .create_with_context(context)?;
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics)?;
        let (drops, dropped) = mpsc::unbounded_channel();
        let consumer = Arc::new(consumer);
        Ok(Self {
            options: options.clone(),
            commits: Commits::new(consumer.clone()),
            consumer,
            assigned,
            changes,
            lanes: HashMap::new(),
            dropped,
            drops,
            opened: 0,
            revoking: None,
        })
    }

    /// Takes part until `stop`, then leaves.
    pub async fn run(mut self, stop: CancellationToken) {
        let consumer = self.consumer.clone();
        loop {
            let deadline = self.revoking.as_ref().map(|revoking| revoking.deadline);
            tokio::select! {
                () = stop.cancelled() => break,
                Some(change) = self.changes.recv() => self.change(change).await,
                Some(dropped) = self.dropped.recv() => self.close(dropped).await,
                () = until(deadline) => self.finish_revoking().await,
                () = self.commits.turn() => {}
                message = consumer.recv() => match message {
                    Ok(message) => self.refuse(&(message.topic().to_owned(), message.partition())),
                    Err(error) => {
                        tracing::debug!(%error, "could not read events");
                        tokio::time::sleep(Duration::from_millis(ERROR_PAUSE_MS)).await;
                    }
                },
            }
        }
        drop(consumer);
        self.leave().await;
    }

    async fn change(&mut self, change: Change) {
        match change {
            Change::Assign(partitions) => self.begin(&partitions).await,
            Change::Revoke { partitions, lost } => {
                for at in &partitions {
                    if let Some(lane) = self.lanes.get(at) {
                        if lost {
                            lane.lost.cancel();
                        }
                        lane.revoked.cancel();
                    }
                }
                // There is nothing to wait for, nor to commit.
                let limit = Duration::from_millis(if lost { 0 } else { DRAIN_MS_MAX });
                if lost {
                    self.commits.forget(&partitions);
                }
                self.revoking = Some(Revoking {
                    partitions,
                    lost,
                    deadline: Instant::now() + limit,
                });
                self.finish_revoking_if_drained().await;
            }
        }
    }

    /// Reads partitions from where the group got to.
    async fn begin(&mut self, partitions: &[At]) {
        let mut known = self.known(partitions).await;
        let mut starts = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            let progress = known.remove(at);
            let mut start = starts.add_partition(&at.0, at.1);
            if let Some(progress) = &progress {
                let next = i64::try_from(progress.next).unwrap_or(i64::MAX);
                log_failure(start.set_offset(Offset::Offset(next)), "set an offset");
            }
            // The lanes come first: records may follow at once.
            self.open(at.clone(), progress.unwrap_or_default());
        }
        log_failure(assign(&*self.consumer, &starts), "take partitions");
    }

    /// What was committed of partitions, if the broker tells; of one that is missing the client
    /// finds the offset by itself, and what is done beyond is delivered again.
    async fn known(&self, partitions: &[At]) -> HashMap<At, Progress> {
        let (consumer, asked) = (self.consumer.clone(), list(partitions));
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let committed = match blocking(move || consumer.committed_offsets(asked, limit)).await {
            Some(Ok(committed)) => committed,
            Some(Err(error)) => {
                tracing::warn!(%error, "could not ask what is done");
                return HashMap::new();
            }
            None => {
                tracing::warn!("the broker did not say in time what is done");
                return HashMap::new();
            }
        };
        let elements = committed.elements();
        let known = elements.iter().filter_map(|element| {
            let Offset::Offset(next) = element.offset() else {
                return None;
            };
            let at = (element.topic().to_owned(), element.partition());
            let progress = Progress::read(next.unsigned_abs(), element.metadata());
            element.error().is_ok().then_some((at, progress))
        });
        known.collect()
    }

    fn open(&mut self, at: At, progress: Progress) {
        // Before the partition is assigned, so that all of its records come this way.
        let Some(records) = self.consumer.split_partition_queue(&at.0, at.1) else {
            tracing::error!(event.topic = at.0, "the client knows no such partition");
            return;
        };
        self.opened += 1;
        let handle = Handle {
            lane: self.opened,
            revoked: CancellationToken::new(),
            lost: CancellationToken::new(),
        };
        let lane = Lane {
            number: handle.lane,
            options: self.options.clone(),
            topic: short(&self.options, &at.0).to_owned(),
            account: self.commits.open(at.clone(), &progress),
            progress,
            at: at.clone(),
            records,
            revoked: handle.revoked.clone(),
            lost: handle.lost.clone(),
            drops: self.drops.clone(),
        };
        self.lanes.insert(at, handle);
        // If nobody takes it any more, the subscription is being closed.
        let _ = self.assigned.send(Box::new(lane));
    }

    /// A record that did not come through its partition's lane: the lane is read again, from what
    /// was completed, so that nothing is lost.
    fn refuse(&self, at: &At) {
        if let Some(lane) = self.lanes.get(at) {
            tracing::warn!(
                event.topic = at.0,
                "a record went astray: its partition is read again"
            );
            lane.revoked.cancel();
        }
    }

    /// Somebody has stopped reading a lane.
    async fn close(&mut self, dropped: Dropped) {
        let Some(handle) = self.lanes.get(&dropped.at) else {
            return;
        };
        if handle.lane != dropped.lane {
            // An earlier lane of the partition ended late, and took the wake-ups with it.
            handle.revoked.cancel();
            return;
        }
        self.lanes.remove(&dropped.at);
        match &self.revoking {
            Some(revoking) if revoking.partitions.contains(&dropped.at) => {
                self.finish_revoking_if_drained().await;
            }
            Some(_) | None => self.read_again(dropped.at).await,
        }
    }

    /// The reader gave up, and the partition is still this member's: from the last completed.
    async fn read_again(&mut self, at: At) {
        self.commits.finish().await;
        let partitions = [at];
        let unassigned = unassign(&*self.consumer, &list(&partitions));
        log_failure(unassigned, "give a partition up");
        self.begin(&partitions).await;
    }

    async fn finish_revoking_if_drained(&mut self) {
        let drained = self.revoking.as_ref().is_some_and(|revoking| {
            let mut partitions = revoking.partitions.iter();
            partitions.all(|at| !self.lanes.contains_key(at))
        });
        if drained {
            self.finish_revoking().await;
        }
    }

    async fn finish_revoking(&mut self) {
        let Some(revoking) = self.revoking.take() else {
            return;
        };
        for at in &revoking.partitions {
            self.lanes.remove(at);
        }
        if !revoking.lost {
            self.commits.finish().await;
            self.commits.forget(&revoking.partitions);
        }
        let unassigned = unassign(&*self.consumer, &list(&revoking.partitions));
        log_failure(unassigned, "give partitions up");
    }

    async fn leave(mut self) {
        for lane in self.lanes.values() {
            lane.revoked.cancel();
        }
        let drained = async {
            while !self.lanes.is_empty() {
                if let Some(dropped) = self.dropped.recv().await {
                    self.lanes.remove(&dropped.at);
                }
            }
        };
        let limit = Duration::from_millis(DRAIN_MS_MAX);
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!(
                "left a group while events were being handled: they will be delivered again"
            );
        }
        self.commits.finish().await;
        let consumer = Arc::clone(&self.consumer);
        drop(self);
        // Closing waits for the broker.
        if blocking(move || drop(consumer)).await.is_none() {
            tracing::warn!("the broker did not hear in time that a member leaves");
        }
    }
}

impl Drop for Driver {
    /// However it ends: a consumer that is closed waits for the answer to each rebalance.
    fn drop(&mut self) {
        self.consumer.context().leave();
        // A rebalance that is still open is answered, or the consumer would wait for it.
        while let Ok(change) = self.changes.try_recv() {
            self.revoking = None;
            let answered = match change {
                Change::Assign(partitions) => assign(&*self.consumer, &list(&partitions)),
                Change::Revoke { partitions, .. } => unassign(&*self.consumer, &list(&partitions)),
            };
            log_failure(answered, "answer a rebalance while leaving");
        }
        if let Some(revoking) = self.revoking.take() {
            let unassigned = unassign(&*self.consumer, &list(&revoking.partitions));
            log_failure(unassigned, "give partitions up");
        }
        // Closing alone would not leave a group whose sharing is under way, if this member has no
        // partition yet; and librdkafka 2.12 crashes if the broker's answer to that comes just then
        // (confluentinc/librdkafka issue 5347).
        self.consumer.unsubscribe();
    }
}

pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
