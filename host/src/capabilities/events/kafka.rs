//! Kafka, through librdkafka.

mod driver;
mod lane;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Broker, Error, Lag, Outgoing, Subscription, cloudevents};
use crate::manifest::Topic;

/// How long the broker may take to acknowledge a record.
const DELIVERY_MS_MAX: u64 = 10_000;

/// A member that is not heard of for so long is dead.
const SESSION_MS: u64 = 10_000;

/// How long the broker may take to answer a question.
const ANSWER_MS_MAX: u64 = 5_000;
const HEALTH_MS_MAX: u64 = 2_000;

/// A broker that comes back is found within this.
const RECONNECT_MS_MAX: u64 = 1_000;

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Put before the names of topics and groups.
    pub prefix: String,
    /// How long a publication may take before it counts as failed.
    pub delivery_ms_max: u64,
    /// How long a member may be silent before its partitions go to others; a cluster allows no
    /// less than 6 s unless it is told to.
    pub session_ms: u64,
}

impl Options {
    pub fn new(brokers: &str, prefix: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            prefix: prefix.to_owned(),
            delivery_ms_max: DELIVERY_MS_MAX,
            session_ms: SESSION_MS,
        }
    }
}

/// A cluster. Clones share the connections.
#[derive(Clone)]
pub struct Kafka {
    options: Options,
    producer: Arc<Mutex<FutureProducer>>,
}

impl Kafka {
    /// Connects in the background: a cluster that is down now may come up later.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let producer = producer(&options)?;
        Ok(Self {
            options,
            producer: Arc::new(Mutex::new(producer)),
        })
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.options.prefix)
    }

    fn producer(&self) -> FutureProducer {
        let producer = self.producer.lock();
        producer
            .expect("nothing panics while it holds the lock")
            .clone()
    }

    /// A fatal error ends an idempotent producer: a new one takes its place.
    fn replace_if_broken(&self, broken: &FutureProducer) {
        let Some((code, reason)) = broken.client().fatal_error() else {
            return;
        };
        tracing::error!(?code, reason, "the kafka producer is replaced");
        let mut current = self
            .producer
            .lock()
            .expect("nothing panics while it holds the lock");
        if current.client().native_ptr() != broken.client().native_ptr() {
            return;
        }
        match producer(&self.options) {
            Ok(producer) => *current = producer,
            Err(error) => tracing::error!(%error, "could not make a kafka producer"),
        }
    }
}

#[async_trait]
impl Broker for Kafka {
    async fn ensure_topics(&self, topics: &BTreeMap<String, Topic>) -> Result<(), Error> {
        topics::ensure(self, topics).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error> {
        let producer = self.producer();
        let mut sent = Vec::with_capacity(batch.len());
        let mut failed = None;
        for outgoing in batch {
            let topic = self.full(&outgoing.topic);
            let record = &outgoing.record;
            let headers = headers(outgoing);
            let message = FutureRecord::to(&topic)
                .key(&record.event.key)
                .payload(&record.event.data)
                .headers(headers);
            match producer.send_result(message) {
                Ok(delivery) => sent.push(delivery),
                Err((error, _)) => {
                    failed = Some((error, outgoing));
                    break;
                }
            }
        }
        // All are waited for, also after one failed: the batch is over when this returns, and
        // what is published next comes after it.
        for (delivery, outgoing) in join_all(sent).await.into_iter().zip(batch) {
            let error = match delivery {
                Ok(Ok(_)) => continue,
                Ok(Err((error, _))) => error,
                Err(_) => KafkaError::Canceled,
            };
            failed.get_or_insert((error, outgoing));
        }
        let Some((error, outgoing)) = failed else {
            return Ok(());
        };
        self.replace_if_broken(&producer);
        Err(match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => Error::UnknownTopic(outgoing.topic.clone()),
            _ => Error::unavailable(error),
        })
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error> {
        let stop = CancellationToken::new();
        let (sender, assigned) = mpsc::unbounded_channel();
        let topics: Vec<_> = topics.iter().map(|topic| self.full(topic)).collect();
        let driver = driver::Driver::subscribe(&self.options, &self.full(group), &topics, sender)
            .map_err(Error::unavailable)?;
        let driver = tokio::spawn(driver.run(stop.clone()));
        Ok(Subscription {
            assigned,
            leave: stop.drop_guard(),
            driver,
        })
    }

    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error> {
        let kafka = self.clone();
        let (group, topics) = (group.to_owned(), topics.to_vec());
        blocking(move || kafka.lag_now(&group, &topics)).await
    }

    async fn health(&self) -> Result<(), Error> {
        let producer = self.producer();
        blocking(move || {
            let limit = Duration::from_millis(HEALTH_MS_MAX);
            // A topic that is not there: the answer stays small, and only a broker has it.
            producer.client().fetch_metadata(None, limit).map(drop)
        })
        .await
    }
}

impl Kafka {
    fn lag_now(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, KafkaError> {
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let consumer: BaseConsumer = client(&self.options)
            .set("group.id", self.full(group))
            .create()?;
        let mut asked = TopicPartitionList::new();
        for topic in topics {
            let topic = self.full(topic);
            let metadata = consumer.fetch_metadata(Some(&topic), limit)?;
            for found in metadata.topics() {
                for partition in found.partitions() {
                    asked.add_partition(found.name(), partition.id());
                }
            }
        }
        let committed = consumer.committed_offsets(asked, limit)?;
        let mut lags = Vec::new();
        for element in committed.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let (oldest, end) = consumer.fetch_watermarks(topic, partition, limit)?;
            let committed = match element.offset() {
                Offset::Offset(offset) => offset,
                // Nothing was committed yet: the group starts at the oldest.
                _ => oldest,
            };
            lags.push(Lag {
                group: group.to_owned(),
                topic: short(&self.options, topic).to_owned(),
                partition: partition.unsigned_abs(),
                committed: committed.unsigned_abs(),
                end: end.unsigned_abs(),
                lag: (end - committed.max(oldest)).max(0).unsigned_abs(),
            });
        }
        Ok(lags)
    }
}

/// Waits for librdkafka where it has only blocking calls.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::unavailable)
}

fn short<'a>(options: &Options, name: &'a str) -> &'a str {
    name.strip_prefix(&options.prefix).unwrap_or(name)
}

/// What producers and consumers have in common.
fn client(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", "praxis")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.max.ms", RECONNECT_MS_MAX.to_string());
    config
}

fn producer(options: &Options) -> Result<FutureProducer, KafkaError> {
    client(options)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", options.delivery_ms_max.to_string())
        .set("linger.ms", "1")
        .create()
}

fn headers(outgoing: &Outgoing) -> OwnedHeaders {
    let headers = cloudevents::headers(&outgoing.record);
    let empty = OwnedHeaders::new_with_capacity(headers.len());
    headers.iter().fold(empty, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    })
}
