//! Questions about what is there and how far a group is behind, asked outside any membership.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::driver::At;
use super::idle::Shared;
use super::reading::{READERS_GROUP, assign, consumer, limit, next, number};
use super::{Kafka, short};
use crate::capabilities::events::{Extent, Lag, Progress};
use crate::clock;

/// Who asks may wait for the next question: as many groups as that, for so long. A new client
/// connects to each broker, and to close one while a broker goes away is where librdkafka fails.
const ASKERS_IDLE_MAX: usize = 16;
const ASKER_IDLE_MS_MAX: u64 = 300_000;

/// What it may have heard meanwhile.
const HEARD_MAX: usize = 10_000;

/// Clients that asked before, by the group that they ask for.
pub type Askers = Shared<String, BaseConsumer>;

/// None is there yet.
pub fn askers() -> Arc<Askers> {
    let time_max = Duration::from_millis(ASKER_IDLE_MS_MAX);
    Arc::new(Shared::new(ASKERS_IDLE_MAX, time_max))
}

impl Kafka {
    pub(super) fn extent_now(&self, topic: &str) -> KafkaResult<Vec<Extent>> {
        let topic = self.full(topic);
        self.ask(READERS_GROUP, |asker| {
            let extent = |partition| {
                let (start, end) = asker.fetch_watermarks(&topic, partition, limit())?;
                Ok(Extent {
                    partition: partition.unsigned_abs(),
                    start: start.unsigned_abs(),
                    end: end.unsigned_abs(),
                })
            };
            let partitions = partitions(asker, &topic)?;
            partitions.into_iter().map(extent).collect()
        })
    }

    pub(super) fn offset_at_now(
        &self,
        topic: &str,
        partition: u32,
        time_ms: u64,
    ) -> KafkaResult<u64> {
        let (topic, partition) = (self.full(topic), number(partition));
        self.ask(READERS_GROUP, |asker| {
            // Also finds out whether there is such a partition.
            let (_, end) = asker.fetch_watermarks(&topic, partition, limit())?;
            let mut asked = TopicPartitionList::with_capacity(1);
            let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
            asked.add_partition_offset(&topic, partition, Offset::Offset(time_ms))?;
            let found = asker.offsets_for_times(asked, limit())?;
            let found = found.elements_for_topic(&topic);
            match found.first().map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => Ok(offset.unsigned_abs()),
                // None is so late.
                _ => Ok(end.unsigned_abs()),
            }
        })
    }

    pub(super) fn lag_now(&self, group: &str, topics: &[String]) -> KafkaResult<Vec<Lag>> {
        self.ask(group, |asker| {
            let mut asked = TopicPartitionList::new();
            for topic in topics {
                let topic = self.full(topic);
                for partition in partitions(asker, &topic)? {
                    asked.add_partition(&topic, partition);
                }
            }
            let committed = asker.committed_offsets(asked, limit())?;
            let elements = committed.elements();
            elements
                .iter()
                .map(|at| self.lag_of(asker, group, at))
                .collect()
        })
    }

    fn lag_of(
        &self,
        asker: &BaseConsumer,
        group: &str,
        committed: &TopicPartitionListElem<'_>,
    ) -> KafkaResult<Lag> {
        let at = (committed.topic().to_owned(), committed.partition());
        let (oldest, end) = asker.fetch_watermarks(&at.0, at.1, limit())?;
        let next = match committed.offset() {
            Offset::Offset(offset) => offset,
            // Nothing was committed yet: the group starts at the oldest.
            _ => oldest,
        };
        let progress = Progress::read(next.unsigned_abs(), committed.metadata());
        let lag = progress.left(oldest.unsigned_abs(), end.unsigned_abs());
        let behind_ms = match lag {
            0 => 0,
            _ => age_ms(asker, &at, next.max(oldest).unsigned_abs())?,
        };
        Ok(Lag {
            group: group.to_owned(),
            topic: short(&self.options, &at.0).to_owned(),
            partition: at.1.unsigned_abs(),
            committed: next.unsigned_abs(),
            end: end.unsigned_abs(),
            lag,
            behind_ms,
        })
    }

    /// Asks for a group, with a client that has asked before if there is one.
    fn ask<T>(
        &self,
        group: &str,
        question: impl FnOnce(&BaseConsumer) -> KafkaResult<T>,
    ) -> KafkaResult<T> {
        let asker = match self.askers.take(&group.to_owned()) {
            Some(asker) => asker,
            None => consumer(self, group)?,
        };
        // What it heard since about brokers that came and went.
        let mut heard = std::iter::from_fn(|| asker.poll(Duration::ZERO).map(drop));
        heard.by_ref().take(HEARD_MAX).for_each(drop);
        let answer = question(&asker);
        // Also after an error: it connects again by itself.
        self.askers.keep(group.to_owned(), asker);
        answer
    }
}

/// How long ago the first record at or after `offset` was published.
fn age_ms(consumer: &BaseConsumer, at: &At, offset: u64) -> KafkaResult<u64> {
    assign(consumer, at, offset)?;
    let published = next(consumer, |message| message.timestamp().to_millis());
    // Whoever asks next wants none of what follows.
    consumer.unassign()?;
    let published = published?;
    let now_ms = clock::now().timestamp_millis();
    Ok(published
        .flatten()
        .and_then(|published_ms| u64::try_from(now_ms - published_ms).ok())
        .unwrap_or(0))
}

/// A topic's partitions, in order.
fn partitions(consumer: &BaseConsumer, topic: &str) -> KafkaResult<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), limit())?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let mut partitions: Vec<_> = match found {
        Some(found) => found.partitions().iter().map(|at| at.id()).collect(),
        None => Vec::new(),
    };
    if partitions.is_empty() {
        let code = RDKafkaErrorCode::UnknownTopicOrPartition;
        return Err(KafkaError::MetadataFetch(code));
    }
    partitions.sort_unstable();
    Ok(partitions)
}
