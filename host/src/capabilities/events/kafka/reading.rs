//! Reads outside any group's membership: what is there, from where, and how far a group is behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use super::driver::At;
use super::idle::Idle;
use super::{ANSWER_MS_MAX, Kafka, client, short};
use crate::capabilities::events::{Extent, Lag, Progress, Received};
use crate::clock;

/// The client wants a group's name even of those who never join one.
const READERS_GROUP: &str = "praxis-readers";

/// Readers that may wait for whoever goes on where they stopped, and how long: each has threads,
/// connections and what it read ahead.
const READERS_IDLE_MAX: usize = 16;
const READER_IDLE_MS_MAX: u64 = 60_000;

/// How often the end of a partition is looked at anew, when it is met too early.
const LOOKS_MAX: u32 = 2;

/// What a reader may read ahead.
const AHEAD_KIB_MAX: u64 = 4 * 1024;

/// How long the broker may hold back an answer at the end of a partition.
const FETCH_WAIT_MS: u64 = 10;

/// Readers that stopped before the end, by partition: who reads on needs no new connection.
pub struct Readers(Mutex<Waiting>);

struct Waiting {
    readers: Idle<At, Reader>,
    /// Whether somebody looks after those that nobody comes for.
    is_swept: bool,
}

/// A consumer that has one partition, and no group.
struct Reader {
    consumer: BaseConsumer,
    at: At,
    /// The offset to read next.
    position: u64,
}

impl Default for Readers {
    fn default() -> Self {
        let time_max = Duration::from_millis(READER_IDLE_MS_MAX);
        Self(Mutex::new(Waiting {
            readers: Idle::new(READERS_IDLE_MAX, time_max),
            is_swept: false,
        }))
    }
}

impl Readers {
    fn take(&self, at: &At, position: u64) -> Option<Reader> {
        let reader = self.waiting().readers.take(at)?;
        (reader.position == position).then_some(reader)
    }

    fn keep(self: &Arc<Self>, reader: Reader) {
        let mut waiting = self.waiting();
        let now = std::time::Instant::now();
        let gone = waiting.readers.keep(reader.at.clone(), reader, now);
        if !std::mem::replace(&mut waiting.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        drop(waiting);
        // Closing one waits for the broker.
        drop(gone);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the readers that nobody comes for, until there are none.
async fn sweep(readers: Weak<Readers>) {
    loop {
        tokio::time::sleep(Duration::from_millis(READER_IDLE_MS_MAX / 2)).await;
        let Some(readers) = readers.upgrade() else {
            return;
        };
        let mut waiting = readers.waiting();
        let old = waiting.readers.take_old(std::time::Instant::now());
        waiting.is_swept = !waiting.readers.is_empty();
        let is_over = !waiting.is_swept;
        drop(waiting);
        tokio::task::spawn_blocking(move || drop(old));
        if is_over {
            return;
        }
    }
}

impl Reader {
    fn new(kafka: &Kafka, at: At, position: u64) -> KafkaResult<Self> {
        let consumer = consumer(kafka, READERS_GROUP)?;
        assign(&consumer, &at, position)?;
        Ok(Self {
            consumer,
            at,
            position,
        })
    }
}

impl Kafka {
    pub(super) fn extent_now(&self, topic: &str) -> KafkaResult<Vec<Extent>> {
        let consumer = consumer(self, READERS_GROUP)?;
        let topic = self.full(topic);
        let extent = |partition| {
            let (start, end) = consumer.fetch_watermarks(&topic, partition, limit())?;
            Ok(Extent {
                partition: partition.unsigned_abs(),
                start: start.unsigned_abs(),
                end: end.unsigned_abs(),
            })
        };
        let partitions = partitions(&consumer, &topic)?;
        partitions.into_iter().map(extent).collect()
    }

    pub(super) fn read_now(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        records_max: usize,
    ) -> KafkaResult<Vec<Received>> {
        let at = (self.full(topic), number(partition));
        let mut reader = match self.readers.take(&at, from) {
            Some(reader) => reader,
            None => Reader::new(self, at.clone(), from)?,
        };
        let (_, end) = reader.consumer.fetch_watermarks(&at.0, at.1, limit())?;
        let end = end.unsigned_abs();
        let mut records = Vec::new();
        let mut looks = 0;
        while records.len() < records_max && reader.position < end {
            let Some(received) = next(&reader.consumer, |message| {
                super::message::read(&self.options, message)
            })?
            else {
                // It may have met the end some time ago, and records have come since. What is still
                // not there after that was compacted away.
                looks += 1;
                if looks > LOOKS_MAX {
                    return Ok(records);
                }
                reader = Reader::new(self, at.clone(), reader.position)?;
                continue;
            };
            reader.position = received.offset + 1;
            records.push(received);
        }
        if reader.position < end {
            self.readers.keep(reader);
        }
        Ok(records)
    }

    pub(super) fn offset_at_now(
        &self,
        topic: &str,
        partition: u32,
        time_ms: u64,
    ) -> KafkaResult<u64> {
        let consumer = consumer(self, READERS_GROUP)?;
        let (topic, partition) = (self.full(topic), number(partition));
        // Also finds out whether there is such a partition.
        let (_, end) = consumer.fetch_watermarks(&topic, partition, limit())?;
        let mut asked = TopicPartitionList::with_capacity(1);
        let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
        asked.add_partition_offset(&topic, partition, Offset::Offset(time_ms))?;
        let found = consumer.offsets_for_times(asked, limit())?;
        let found = found.elements_for_topic(&topic);
        match found.first().map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset.unsigned_abs()),
            // None is so late.
            _ => Ok(end.unsigned_abs()),
        }
    }

    pub(super) fn lag_now(&self, group: &str, topics: &[String]) -> KafkaResult<Vec<Lag>> {
        let consumer = consumer(self, group)?;
        let mut asked = TopicPartitionList::new();
        for topic in topics {
            let topic = self.full(topic);
            for partition in partitions(&consumer, &topic)? {
                asked.add_partition(&topic, partition);
            }
        }
        let committed = consumer.committed_offsets(asked, limit())?;
        let mut lags = Vec::new();
        for element in committed.elements() {
            let at = (element.topic().to_owned(), element.partition());
            let (oldest, end) = consumer.fetch_watermarks(&at.0, at.1, limit())?;
            let committed = match element.offset() {
                Offset::Offset(offset) => offset,
                // Nothing was committed yet: the group starts at the oldest.
                _ => oldest,
            };
            let progress = Progress::read(committed.unsigned_abs(), element.metadata());
            let lag = progress.left(oldest.unsigned_abs(), end.unsigned_abs());
            let behind_ms = match lag {
                0 => 0,
                _ => age_ms(&consumer, &at, committed.max(oldest).unsigned_abs())?,
            };
            lags.push(Lag {
                group: group.to_owned(),
                topic: short(&self.options, &at.0).to_owned(),
                partition: at.1.unsigned_abs(),
                committed: committed.unsigned_abs(),
                end: end.unsigned_abs(),
                lag,
                behind_ms,
            });
        }
        Ok(lags)
    }
}

/// How long ago the first record at or after `offset` was published.
fn age_ms(consumer: &BaseConsumer, at: &At, offset: u64) -> KafkaResult<u64> {
    assign(consumer, at, offset)?;
    let published = next(consumer, |message| message.timestamp().to_millis())?;
    let now_ms = clock::now().timestamp_millis();
    Ok(published
        .flatten()
        .and_then(|published_ms| u64::try_from(now_ms - published_ms).ok())
        .unwrap_or(0))
}

/// A consumer that never joins its group.
fn consumer(kafka: &Kafka, group: &str) -> KafkaResult<BaseConsumer> {
    client(&kafka.options)
        .set("group.id", kafka.full(group))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
        .set("queued.max.messages.kbytes", AHEAD_KIB_MAX.to_string())
        .create()
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

fn assign(consumer: &BaseConsumer, at: &At, position: u64) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(1);
    let position = Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX));
    list.add_partition_offset(&at.0, at.1, position)?;
    consumer.assign(&list)
}

/// The next record of the one partition that is assigned; `None` at its end.
fn next<T>(
    consumer: &BaseConsumer,
    read: impl FnOnce(&BorrowedMessage<'_>) -> T,
) -> KafkaResult<Option<T>> {
    let deadline = Instant::now() + limit();
    let mut failed = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(failed);
        }
        match consumer.poll(left) {
            Some(Ok(message)) => return Ok(Some(read(&message))),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            // The client goes on by itself: a broker may be on its way back.
            Some(Err(error)) => failed = error,
            None => {}
        }
    }
}

fn limit() -> Duration {
    Duration::from_millis(ANSWER_MS_MAX)
}

/// A partition as the client counts.
pub fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
