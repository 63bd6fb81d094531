//! Kafka: brokers that speak the real protocol, in a thread of this process.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use uuid::Uuid;

use super::{KEYS, PARTITIONS};

const BROKERS: i32 = 3;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);
const DATA_BYTES: usize = 200;
/// Spreads the numbers of events over the ids.
const ID_STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

pub struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self(MockCluster::new(BROKERS)?))
    }

    pub fn bootstrap(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Makes a topic and the one of its dead letters: the brokers know no CreateTopics.
    pub fn create(&self, topic: &str) -> anyhow::Result<()> {
        self.0.create_topic(topic, number(PARTITIONS), BROKERS)?;
        self.0.create_topic(&format!("{topic}.dlq"), 1, BROKERS)?;
        Ok(())
    }

    /// Publishes as the host does, only faster. A broker keeps 5 MiB of a partition: this fails if
    /// that is not enough. `compression` is librdkafka's name of one.
    pub fn fill(&self, topic: &str, events: u64, compression: &str) -> anyhow::Result<()> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("compression.codec", compression)
            .set("linger.ms", "100")
            .create()?;
        for n in 0..events {
            publish(&producer, topic, n)?;
        }
        producer.flush(ANSWER_TIMEOUT)?;
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .create()?;
        let mut kept = 0;
        for partition in 0..number(PARTITIONS) {
            let (first, end) = consumer.fetch_watermarks(topic, partition, ANSWER_TIMEOUT)?;
            kept += end - first;
        }
        ensure!(
            kept.unsigned_abs() == events,
            "of {events} events the mock brokers keep {kept}: --events is too many for them"
        );
        Ok(())
    }
}

fn publish(producer: &BaseProducer, topic: &str, n: u64) -> anyhow::Result<()> {
    let key = n % KEYS;
    let partition = number(u32::try_from(key % u64::from(PARTITIONS))?);
    let key = format!("key-{key:04}");
    let data = data(n);
    let headers = headers(n);
    let empty = OwnedHeaders::new_with_capacity(headers.len());
    let headers = headers.iter().fold(empty, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    });
    let mut record = BaseRecord::to(topic)
        .key(&key)
        .payload(&data)
        .partition(partition)
        .headers(headers);
    loop {
        match producer.send(record) {
            Ok(()) => break,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(QUEUE_FULL_PAUSE);
            }
            Err((error, _)) => return Err(error).context("could not publish"),
        }
    }
    producer.poll(Duration::ZERO);
    Ok(())
}

/// CloudEvents in binary mode, as the host writes them.
pub fn headers(n: u64) -> BTreeMap<&'static str, String> {
    let id = Uuid::from_u128(u128::from(n + 1).wrapping_mul(ID_STEP));
    BTreeMap::from([
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id.to_string()),
        ("ce_source", "benches".to_owned()),
        ("ce_type", "LightSwitchedOn".to_owned()),
        ("ce_time", "2026-01-01T00:00:00.000Z".to_owned()),
        ("ce_streamversion", (n / KEYS).to_string()),
        ("content-type", "application/json".to_owned()),
    ])
}

fn data(n: u64) -> String {
    let head = format!(
        r#"{{"schema":1,"number":{n},"lamp":"lamp {}","note":""#,
        n % KEYS
    );
    let room = DATA_BYTES.saturating_sub(head.len() + 2);
    let note: String = "it was dark, ".chars().cycle().take(room).collect();
    format!("{head}{note}\"}}")
}

fn number(number: u32) -> i32 {
    i32::try_from(number).expect("there are few")
}
