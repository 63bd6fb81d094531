//! Kafka, through librdkafka.

mod account;
mod asking;
mod commits;
mod driver;
mod idle;
mod lane;
mod message;
mod producing;
mod reading;
mod rebalance;
pub mod security;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Broker, Error, Extent, Lag, Outgoing, Received, Subscription};
use crate::manifest::Topic;
use security::Security;

/// How long who publishes waits for the broker to acknowledge it.
const DELIVERY_MS_MAX: u64 = 10_000;

/// A member that is not heard of for so long is dead.
pub const SESSION_MS: u64 = 10_000;

/// A shorter silence may be a busy machine.
pub const SESSION_MS_MIN: u64 = 1_000;

/// A member that is alive, but reads nothing and leaves a rebalance unanswered for so long, is as
/// good as dead. It reads also while a handler takes its time.
pub const POLL_MS_MAX: u64 = 120_000;

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
    pub security: Security,
    /// How long who publishes waits before they hear that the broker is unavailable.
    pub delivery_ms_max: u64,
    /// How long a member may be silent before its partitions go to others; a cluster allows no
    /// less than 6 s unless it is told to.
    pub session_ms: u64,
    /// How long a member may leave a rebalance unanswered; no less than `session_ms`.
    pub poll_ms_max: u64,
}

impl Options {
    pub fn new(brokers: &str, prefix: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            prefix: prefix.to_owned(),
            security: Security::default(),
            delivery_ms_max: DELIVERY_MS_MAX,
            session_ms: SESSION_MS,
            poll_ms_max: POLL_MS_MAX,
        }
    }

    /// What the cluster calls a topic or a group.
    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// A cluster. Clones share the connections.
#[derive(Clone)]
pub struct Kafka {
    options: Arc<Options>,
    producer: Arc<producing::Producer>,
    readers: Arc<reading::Readers>,
    askers: Arc<asking::Askers>,
}

impl Kafka {
    /// Connects in the background: a cluster that is down now may come up later.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let options = Arc::new(options);
        let producer = producing::Producer::new(options.clone())?;
        Ok(Self {
            options,
            producer: Arc::new(producer),
            readers: reading::readers(),
            askers: asking::askers(),
        })
    }

    fn full(&self, name: &str) -> String {
        self.options.full(name)
    }
}

#[async_trait]
impl Broker for Kafka {
    async fn ensure_topics(&self, topics: &BTreeMap<String, Topic>) -> Result<(), Error> {
        topics::ensure(self, topics).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error> {
        self.producer.publish(batch).await
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

    async fn extent(&self, topic: &str) -> Result<Vec<Extent>, Error> {
        let (kafka, topic) = (self.clone(), topic.to_owned());
        blocking(move || {
            let extent = kafka.extent_now(&topic);
            extent.map_err(|error| named(error, &topic))
        })
        .await
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        records_max: usize,
    ) -> Result<Vec<Received>, Error> {
        let (kafka, topic) = (self.clone(), topic.to_owned());
        blocking(move || {
            let read = kafka.read_now(&topic, partition, from, records_max);
            read.map_err(|error| named(error, &topic))
        })
        .await
    }

    async fn offset_at(&self, topic: &str, partition: u32, time_ms: u64) -> Result<u64, Error> {
        let (kafka, topic) = (self.clone(), topic.to_owned());
        blocking(move || {
            let offset = kafka.offset_at_now(&topic, partition, time_ms);
            offset.map_err(|error| named(error, &topic))
        })
        .await
    }

    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error> {
        let kafka = self.clone();
        let (group, topics) = (group.to_owned(), topics.to_vec());
        blocking(move || {
            let lag = kafka.lag_now(&group, &topics);
            lag.map_err(|error| named(error, &topics.join(" or ")))
        })
        .await
    }

    async fn health(&self) -> Result<(), Error> {
        let producer = self.producer.client();
        blocking(move || {
            let limit = Duration::from_millis(HEALTH_MS_MAX);
            // Of all topics: to ask for one by name might make it.
            let metadata = producer.client().fetch_metadata(None, limit);
            metadata.map(drop).map_err(Error::unavailable)
        })
        .await
    }
}

/// Waits for librdkafka where it has only blocking calls.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(Error::unavailable)?
}

/// What went wrong with a topic, in the contract's terms.
fn named(error: KafkaError, topic: &str) -> Error {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => Error::UnknownTopic(topic.to_owned()),
        // Errors that a broker gives each time: `message.max.bytes`, a compacted topic and no key,
        // a policy of the cluster, no right to write.
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => Error::Refused(format!("{topic}: {error}")),
        _ => Error::unavailable(error),
    }
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
    options.security.apply(&mut config);
    config
}
