//! Reads a partition outside any group.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use super::driver::At;
use super::idle::Shared;
use super::{ANSWER_MS_MAX, Kafka, client};
use crate::capabilities::events::Received;

/// The client wants a group's name even of those who never join one.
pub const READERS_GROUP: &str = "praxis-readers";

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
pub type Readers = Shared<At, Reader>;

/// A consumer that has one partition, and no group.
pub struct Reader {
    consumer: BaseConsumer,
    /// The offset to read next.
    position: u64,
}

/// None is there yet.
pub fn readers() -> Arc<Readers> {
    let time_max = Duration::from_millis(READER_IDLE_MS_MAX);
    Arc::new(Shared::new(READERS_IDLE_MAX, time_max))
}

impl Reader {
    fn new(kafka: &Kafka, at: &At, position: u64) -> KafkaResult<Self> {
        let consumer = consumer(kafka, READERS_GROUP)?;
        assign(&consumer, at, position)?;
        Ok(Self { consumer, position })
    }
}

impl Kafka {
    pub(super) fn read_now(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        records_max: usize,
    ) -> KafkaResult<Vec<Received>> {
        let at = (self.full(topic), number(partition));
        let kept = self.readers.take(&at);
        let mut reader = match kept.filter(|reader| reader.position == from) {
            Some(reader) => reader,
            None => Reader::new(self, &at, from)?,
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
                reader = Reader::new(self, &at, reader.position)?;
                continue;
            };
            reader.position = received.offset + 1;
            records.push(received);
        }
        if reader.position < end {
            self.readers.keep(at, reader);
        }
        Ok(records)
    }
}

/// A consumer that never joins its group.
pub fn consumer(kafka: &Kafka, group: &str) -> KafkaResult<BaseConsumer> {
    client(&kafka.options)
        .set("group.id", kafka.full(group))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
        .set("queued.max.messages.kbytes", AHEAD_KIB_MAX.to_string())
        .create()
}

pub fn assign(consumer: &BaseConsumer, at: &At, position: u64) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(1);
    let position = Offset::Offset(i64::try_from(position).unwrap_or(i64::MAX));
    list.add_partition_offset(&at.0, at.1, position)?;
    consumer.assign(&list)
}

/// The next record of the one partition that is assigned; `None` at its end.
pub fn next<T>(
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

pub fn limit() -> Duration {
    Duration::from_millis(ANSWER_MS_MAX)
}

/// A partition as the client counts.
pub fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
