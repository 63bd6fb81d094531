//! `praxis:events`: facts, kept in order per key, and delivered at least once.
//!
//! The contract is Kafka's: a topic has partitions, a key always falls into the same one, and the
//! members of a group share the partitions out among themselves. One suite holds every adapter to
//! it (`host/tests/events/contract.rs`).

pub mod cloudevents;
pub mod kafka;
pub mod partitioner;
pub mod postgres;
pub mod producer;
mod progress;
mod record;
pub mod trace;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::manifest::Topic;

pub use progress::{Progress, Replayed, Tried};
pub use record::{
    DeadLetter, Event, Header, Outgoing, Publication, Received, Record, Replay, Resolution,
    Resolved,
};

/// What is added to a topic's name for the events that were given up on.
pub const DEAD_LETTER_SUFFIX: &str = ".dlq";

/// How long an operator has to look at a dead letter.
const DEAD_LETTER_RETENTION_HOURS: u32 = 30 * 24;

/// How long a member that stops waits for the events that are being handled.
pub const DRAIN_MS_MAX: u64 = 25_000;

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub partition: u32,
    /// The oldest offset that is kept; the end if none is.
    pub start: u64,
    /// The offset that the next record will get.
    pub end: u64,
}

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lag {
    pub group: String,
    pub topic: String,
    pub partition: u32,
    /// The first offset that the group has not completed.
    pub committed: u64,
    /// The offset that the next record will get.
    pub end: u64,
    /// Records that are there and not completed.
    pub lag: u64,
    /// How long ago the oldest of these was published; 0 if there is none.
    pub behind_ms: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker can't be reached, or doesn't answer in time: try later.
    #[error("the event broker is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody made the topic, or it has no such partition: trying again does not help.
    #[error("there is no topic {0}")]
    UnknownTopic(String),
    /// It will never take a record, for this reason: it is too large or invalid, or may not be
    /// written there. If it was a batch, that may go for one record alone: publish them one at a
    /// time to learn which.
    #[error("the event broker refuses a record: {0}")]
    Refused(String),
    /// Another member has the partition now: drop it.
    #[error("the partition belongs to another member")]
    Lost,
}

impl Error {
    fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }
}

/// Where events are kept. Names of topics and groups are the manifest's; an adapter adds the
/// deployment's prefix, so that several deployments can share a broker.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Makes the topics that are not there, and for each its dead letters' topic. One that is
    /// there stays as it is.
    async fn ensure_topics(&self, topics: &BTreeMap<String, Topic>) -> Result<(), Error>;

    /// Publishes the records; when this returns `Ok`, all of them are durable. Records of one key
    /// are kept in the order of the batch, after all that was published before.
    ///
    /// After an error some may be there and some not: publish the whole batch again, with the same
    /// ids. The time it takes is bounded, also when the broker is down.
    async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error>;

    /// Joins the group, which reads all the topics. A group that is new starts at the oldest
    /// record. Groups know nothing of each other.
    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error>;

    /// What each partition of the topic holds, in their order.
    async fn extent(&self, topic: &str) -> Result<Vec<Extent>, Error>;

    /// The records of a partition that are there now, in order, from the first one kept at or
    /// after `from`: outside any group, and nothing is committed. Fewer than `records_max` means
    /// that there are no more.
    async fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        records_max: usize,
    ) -> Result<Vec<Received>, Error>;

    /// The first offset that was published at `time_ms` (since the Unix epoch) or later; the end
    /// of the partition if there is none.
    async fn offset_at(&self, topic: &str, partition: u32, time_ms: u64) -> Result<u64, Error>;

    /// How far the group is behind, in each partition of the topics.
    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error>;

    /// Whether the broker answers; within a few seconds either way.
    async fn health(&self) -> Result<(), Error>;
}

/// Membership in a group. Dropped without `close`, it leaves the group all the same, later.
pub struct Subscription {
    assigned: mpsc::UnboundedReceiver<Box<dyn Partition>>,
    leave: DropGuard,
    driver: JoinHandle<()>,
}

impl Subscription {
    /// Waits for a partition that has become this member's. One that was revoked comes again if
    /// it becomes this member's again.
    pub async fn assigned(&mut self) -> Box<dyn Partition> {
        match self.assigned.recv().await {
            Some(partition) => partition,
            // The driver ends only when the runtime does: there will be no other partition.
            None => std::future::pending().await,
        }
    }

    /// Leaves the group: revokes the partitions, waits until they are dropped (`DRAIN_MS_MAX` at
    /// most), and commits what they completed.
    pub async fn close(self) {
        drop(self.leave);
        drop(self.assigned);
        if let Err(error) = self.driver.await {
            tracing::error!(%error, "a consumer group's driver failed");
        }
    }
}

/// One partition, while it is this member's. Drop it soon after it is revoked: the next member
/// waits for that.
#[async_trait]
pub trait Partition: Send {
    fn topic(&self) -> &str;

    fn index(&self) -> u32;

    /// How far the group had got when the partition became this member's.
    fn progress(&self) -> &Progress;

    /// The next record, in the order of the offsets, from the first that is not done. Those that
    /// are done beyond it come all the same: skip them. Waits as long as there is none. `None` once
    /// the partition is revoked.
    async fn next(&mut self) -> Option<Received>;

    /// Records how far the group got; its `next` never falls. It may become durable a little later,
    /// and at the latest when the partition is dropped after `next` has answered `None`; until then
    /// a crash means that some records are delivered again.
    async fn complete(&mut self, progress: Progress) -> Result<(), Error>;

    /// Fires when the partition is revoked.
    fn revoked(&self) -> CancellationToken;

    /// Fires when the partition may be another member's already: what is being handled is to be
    /// dropped, not finished. It is revoked then, too.
    fn lost(&self) -> CancellationToken {
        CancellationToken::new()
    }

    /// How many records `next` has left out, since this was last asked for, because they were not
    /// kept for long enough: the group never completed them, and never will.
    fn missed(&mut self) -> u64 {
        0
    }
}

/// Where the events go that were read from `topic` and given up on.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}{DEAD_LETTER_SUFFIX}")
}

/// The topics, and for each its dead letters'.
fn with_dead_letters(topics: &BTreeMap<String, Topic>) -> BTreeMap<String, Topic> {
    let mut all = topics.clone();
    for (name, topic) in topics {
        all.insert(
            dead_letter_topic(name),
            Topic {
                partitions: 1,
                retention_hours: DEAD_LETTER_RETENTION_HOURS.max(topic.retention_hours),
                ..topic.clone()
            },
        );
    }
    all
}
