//! Keeps a member in its group: polls, spreads records to lanes, and answers rebalances.
//!
//! A rebalance is answered late on purpose: what is being handled is finished and committed before
//! a partition goes to another member.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::bindings::rd_kafka_resp_err_t as Native;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol, StreamConsumer,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lane::{Lane, Told, WAITING_MAX};
use super::{Options, client, message, short};
use crate::capabilities::events::{DRAIN_MS_MAX, Partition, Received};

const COMMIT_EVERY_MS: u64 = 1_000;

const HEARTBEAT_MS: u64 = 1_000;

/// How long a member may leave a rebalance unanswered, or not poll.
const POLL_MS_MAX: u64 = 120_000;

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
    options: Options,
    consumer: Arc<Membership>,
    assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    changes: mpsc::UnboundedReceiver<Change>,
    lanes: HashMap<At, Handle>,
    told: mpsc::UnboundedReceiver<Told>,
    tell: mpsc::UnboundedSender<Told>,
    /// The revocation that waits for lanes to be dropped.
    revoking: Option<Revoking>,
}

/// What the driver keeps of a lane.
struct Handle {
    records: mpsc::UnboundedSender<Received>,
    waiting: Arc<AtomicUsize>,
    revoked: CancellationToken,
    paused: bool,
}

struct Revoking {
    partitions: Vec<At>,
    deadline: Instant,
}

/// What the group decided.
enum Change {
    Assign(Vec<At>),
    Revoke { partitions: Vec<At>, lost: bool },
}

/// Passes rebalances on to the driver, until it leaves.
pub struct Context {
    changes: mpsc::UnboundedSender<Change>,
    leaving: AtomicBool,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: Native,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = what == Native::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.load(Ordering::Acquire) {
            let answered = match assigned {
                true => assign(consumer, partitions),
                false => unassign(consumer, partitions),
            };
            log_failure(answered, "answer a rebalance while leaving");
            return;
        }
        let elements = partitions.elements();
        let partitions = elements
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        let change = match assigned {
            true => Change::Assign(partitions),
            false => Change::Revoke {
                partitions,
                lost: consumer.assignment_lost(),
            },
        };
        // Without a driver nobody polls, so nobody gets here.
        let _ = self.changes.send(change);
    }
}

impl Driver {
    pub fn subscribe(
        options: &Options,
        group: &str,
        topics: &[String],
        assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    ) -> KafkaResult<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let context = Context {
            changes: sender,
            leaving: AtomicBool::new(false),
        };
        let consumer: Membership = client(options)
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", COMMIT_EVERY_MS.to_string())
            .set("session.timeout.ms", options.session_ms.to_string())
            .set("heartbeat.interval.ms", HEARTBEAT_MS.to_string())
            .set("max.poll.interval.ms", POLL_MS_MAX.to_string())
            .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
            .set(
                "topic.metadata.refresh.interval.ms",
                TOPICS_REFRESH_MS.to_string(),
            )
            .create_with_context(context)?;
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics)?;
        let (tell, told) = mpsc::unbounded_channel();
        Ok(Self {
            options: options.clone(),
            consumer: Arc::new(consumer),
            assigned,
            changes,
            lanes: HashMap::new(),
            told,
            tell,
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
                Some(told) = self.told.recv() => self.hear(told).await,
                () = until(deadline) => self.finish_revoking().await,
                message = consumer.recv() => match message {
                    Ok(message) => self.pass_on(&message),
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
            Change::Assign(partitions) => {
                // The lanes come first: records may follow at once.
                for at in &partitions {
                    self.open(at.clone());
                }
                let assigned = assign(&*self.consumer, &list(&partitions));
                log_failure(assigned, "take partitions");
            }
            Change::Revoke { partitions, lost } => {
                for at in &partitions {
                    if let Some(lane) = self.lanes.get(at) {
                        lane.revoked.cancel();
                    }
                }
                // Another member has lost ones already: there is nothing to wait for.
                let limit = Duration::from_millis(if lost { 0 } else { DRAIN_MS_MAX });
                self.revoking = Some(Revoking {
                    partitions,
                    deadline: Instant::now() + limit,
                });
                self.finish_revoking_if_drained().await;
            }
        }
    }

    fn open(&mut self, at: At) {
        let (records, receiver) = mpsc::unbounded_channel();
        let handle = Handle {
            records,
            waiting: Arc::default(),
            revoked: CancellationToken::new(),
            paused: false,
        };
        let lane = Lane {
            consumer: self.consumer.clone(),
            topic: short(&self.options, &at.0).to_owned(),
            at: at.clone(),
            records: receiver,
            waiting: handle.waiting.clone(),
            revoked: handle.revoked.clone(),
            told: self.tell.clone(),
        };
        self.lanes.insert(at, handle);
        // If nobody takes it any more, the subscription is being closed.
        let _ = self.assigned.send(Box::new(lane));
    }

    fn pass_on(&mut self, message: &BorrowedMessage<'_>) {
        let at = (message.topic().to_owned(), message.partition());
        // A record of a partition that was revoked meanwhile: it is another's.
        let Some(lane) = self.lanes.get_mut(&at) else {
            return;
        };
        let waiting = lane.waiting.fetch_add(1, Ordering::Relaxed);
        if lane
            .records
            .send(message::read(&self.options, message))
            .is_err()
        {
            return;
        }
        if waiting >= WAITING_MAX && !lane.paused {
            lane.paused = true;
            log_failure(self.consumer.pause(&list(&[at])), "pause a partition");
        }
    }

    async fn hear(&mut self, told: Told) {
        match told {
            Told::Low(at) => {
                let Some(lane) = self.lanes.get_mut(&at) else {
                    return;
                };
                if lane.paused {
                    lane.paused = false;
                    log_failure(self.consumer.resume(&list(&[at])), "resume a partition");
                }
            }
            Told::Dropped(at) => {
                let Some(lane) = self.lanes.remove(&at) else {
                    return;
                };
                if lane.revoked.is_cancelled() {
                    self.finish_revoking_if_drained().await;
                } else {
                    self.read_again(at).await;
                }
            }
        }
    }

    /// The reader gave up, and the partition is still this member's: from the last completed.
    async fn read_again(&mut self, at: At) {
        self.commit().await;
        let partitions = list(std::slice::from_ref(&at));
        log_failure(
            unassign(&*self.consumer, &partitions),
            "give a partition up",
        );
        self.open(at);
        log_failure(
            assign(&*self.consumer, &partitions),
            "take a partition again",
        );
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
        self.commit().await;
        let unassigned = unassign(&*self.consumer, &list(&revoking.partitions));
        log_failure(unassigned, "give partitions up");
    }

    /// Commits what was completed, and waits for it.
    async fn commit(&self) {
        let consumer = self.consumer.clone();
        let commit = move || consumer.commit_consumer_state(CommitMode::Sync);
        match tokio::task::spawn_blocking(commit).await {
            Ok(Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))) => {}
            Ok(committed) => log_failure(committed, "commit what is done"),
            Err(error) => tracing::error!(%error, "a commit failed"),
        }
    }

    async fn leave(mut self) {
        for lane in self.lanes.values() {
            lane.revoked.cancel();
        }
        let drained = async {
            while !self.lanes.is_empty() {
                if let Some(Told::Dropped(at)) = self.told.recv().await {
                    self.lanes.remove(&at);
                }
            }
        };
        let limit = Duration::from_millis(DRAIN_MS_MAX);
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!(
                "left a group while events were being handled: they will be delivered again"
            );
        }
        self.commit().await;
        self.consumer
            .context()
            .leaving
            .store(true, Ordering::Release);
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
        // Closing waits for the broker.
        let consumer = self.consumer;
        let closed = tokio::task::spawn_blocking(move || drop(consumer)).await;
        if let Err(error) = closed {
            tracing::error!(%error, "could not leave a group");
        }
    }
}

fn assign(
    consumer: &impl rdkafka::consumer::Consumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(partitions),
    }
}

fn unassign(
    consumer: &impl rdkafka::consumer::Consumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

fn list(partitions: &[At]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

fn log_failure(result: KafkaResult<()>, what: &str) {
    if let Err(error) = result {
        tracing::warn!(%error, "could not {what}");
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
