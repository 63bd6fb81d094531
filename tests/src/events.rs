//! The events themselves, read where they are: in the log of PostgreSQL or in Kafka.

use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::World;

const BROKER_MS_MAX: Duration = Duration::from_secs(20);
const DEAD_LETTERS: &str = ".dlq";

/// An event as it was published.
#[derive(Debug, Clone)]
pub struct Published {
    pub id: Uuid,
    pub topic: String,
    pub kind: String,
    pub key: String,
    pub stream_version: u64,
    /// W3C trace context; a request for a replay has none.
    pub traceparent: Option<String>,
    pub data: Value,
}

/// All events of a topic, in the order of their partitions.
pub async fn of_topic(world: &World, topic: &str) -> Vec<Published> {
    match &world.brokers {
        None => in_postgres(&world.database, topic).await,
        Some(brokers) => in_kafka(&brokers.bootstrap, topic),
    }
}

/// What was given up, on any topic.
pub async fn dead_letters(world: &World) -> Vec<Published> {
    let topics: Vec<String> = match &world.brokers {
        None => sqlx::query_scalar("select topic from event_topics")
            .fetch_all(&world.database)
            .await
            .expect("the topics can be listed"),
        Some(brokers) => {
            let metadata = consumer(&brokers.bootstrap)
                .fetch_metadata(None, BROKER_MS_MAX)
                .expect("the brokers tell their topics");
            metadata
                .topics()
                .iter()
                .map(|topic| topic.name().to_owned())
                .collect()
        }
    };
    let mut dead = Vec::new();
    for topic in topics.iter().filter(|topic| topic.ends_with(DEAD_LETTERS)) {
        dead.extend(of_topic(world, topic).await);
    }
    dead
}

/// The sum of all lags in an answer of `/v1/ops/consumers`; a group that is not known to be at
/// the end counts as behind.
pub fn lag(consumers: &Value) -> u64 {
    let items = consumers.get("items").unwrap_or(consumers);
    let items = items.as_array().expect("consumers are a list");
    assert!(!items.is_empty(), "nobody consumes anything: {consumers}");
    items
        .iter()
        .map(|item| item["lag"].as_u64().unwrap_or(1))
        .sum()
}

/// All events of a topic of the log in PostgreSQL.
pub async fn in_postgres(database: &PgPool, topic: &str) -> Vec<Published> {
    let rows: Vec<(String, Value, Vec<u8>)> = sqlx::query_as(
        r#"
        select key, headers, data
        from event_log
        where topic = $1
        order by partition, "offset"
        "#,
    )
    .bind(topic)
    .fetch_all(database)
    .await
    .expect("the log can be read");
    rows.into_iter()
        .map(|(key, headers, data)| published(topic, key, &|name| header(&headers, name), &data))
        .collect()
}

/// Headers are an object, or a list of pairs.
fn header(headers: &Value, name: &str) -> Option<String> {
    let pairs = headers.as_array().into_iter().flatten();
    let of_pair = pairs
        .filter(|pair| pair[0] == name)
        .map(|pair| &pair[1])
        .next();
    let value = headers.get(name).or(of_pair).and_then(Value::as_str);
    value.map(str::to_owned)
}

/// All events of a topic in Kafka. Blocks.
pub fn in_kafka(bootstrap: &str, topic: &str) -> Vec<Published> {
    let consumer = consumer(bootstrap);
    let metadata = consumer
        .fetch_metadata(Some(topic), BROKER_MS_MAX)
        .expect("the topic is there");
    let partitions: Vec<i32> = metadata.topics()[0]
        .partitions()
        .iter()
        .map(|partition| partition.id())
        .collect();
    let mut events = Vec::new();
    for partition in partitions {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition, BROKER_MS_MAX)
            .expect("a partition has ends");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(low))
            .expect("an offset is an offset");
        consumer.assign(&list).expect("a partition can be assigned");
        for _ in low..high {
            let message = consumer
                .poll(BROKER_MS_MAX)
                .expect("what lies below the end can be read")
                .expect("a readable message");
            events.push(of_message(topic, &message));
        }
    }
    events
}

fn consumer(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer can be made")
}

fn of_message(topic: &str, message: &BorrowedMessage<'_>) -> Published {
    let key = message.key().expect("events have a key");
    let key = String::from_utf8(key.to_vec()).expect("keys are text");
    let headers = message.headers().expect("events have headers");
    let header = |name: &str| {
        let found = headers
            .iter()
            .find(|header| header.key == name)
            .and_then(|found| found.value);
        found.map(|value| String::from_utf8(value.to_vec()).expect("headers are text"))
    };
    published(topic, key, &header, message.payload().unwrap_or_default())
}

fn published(
    topic: &str,
    key: String,
    found: &dyn Fn(&str) -> Option<String>,
    data: &[u8],
) -> Published {
    let header = |name: &str| found(name).unwrap_or_else(|| panic!("no header {name}"));
    Published {
        id: header("ce_id").parse().expect("an id is a UUID"),
        topic: topic.to_owned(),
        kind: header("ce_type"),
        key,
        stream_version: header("ce_streamversion")
            .parse()
            .expect("a version is a number"),
        traceparent: found("traceparent"),
        data: serde_json::from_slice(data).expect("events carry JSON"),
    }
}
