//! Makes the topics that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use tokio::time::Instant;

use super::{ANSWER_MS_MAX, Kafka, blocking, client};
use crate::capabilities::events::{Error, with_dead_letters};
use crate::manifest::Topic;

/// How long a topic that was asked for may take to show up.
const APPEAR_MS_MAX: u64 = 10_000;
const LOOK_EVERY_MS: u64 = 200;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// What is known of the cluster.
struct Cluster {
    brokers: u32,
    topics: BTreeSet<String>,
}

pub async fn ensure(kafka: &Kafka, topics: &BTreeMap<String, Topic>) -> Result<(), Error> {
    let wanted: BTreeMap<_, _> = with_dead_letters(topics)
        .into_iter()
        .map(|(name, topic)| (kafka.full(&name), topic))
        .collect();
    let cluster = look(kafka).await?;
    let missing: BTreeMap<_, _> = wanted
        .iter()
        .filter(|(name, _)| !cluster.topics.contains(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let replication = wanted.values().map(|topic| topic.replication).max();
    if replication > Some(cluster.brokers) {
        tracing::warn!(
            brokers = cluster.brokers,
            wanted = replication,
            "topics are made with fewer copies than wanted: the cluster has too few brokers"
        );
    }
    let asked = create(kafka, &missing, cluster.brokers).await;
    // Whatever the answer was: what counts is whether they are there, and in a cluster they take
    // a moment to show up everywhere.
    let deadline = Instant::now() + Duration::from_millis(APPEAR_MS_MAX);
    loop {
        let cluster = look(kafka).await?;
        let Some(name) = wanted.keys().find(|name| !cluster.topics.contains(*name)) else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return Err(match asked {
                Ok(()) => Error::UnknownTopic(name.clone()),
                Err(error) => Error::unavailable(error),
            });
        }
        tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
}

async fn look(kafka: &Kafka) -> Result<Cluster, Error> {
    let producer = kafka.producer.client();
    blocking(move || {
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let metadata = producer.client().fetch_metadata(None, limit);
        let metadata = metadata.map_err(Error::unavailable)?;
        let topics = metadata.topics().iter();
        Ok(Cluster {
            brokers: u32::try_from(metadata.brokers().len()).unwrap_or(u32::MAX),
            topics: topics.map(|topic| topic.name().to_owned()).collect(),
        })
    })
    .await
}

async fn create(
    kafka: &Kafka,
    topics: &BTreeMap<&String, &Topic>,
    brokers: u32,
) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = client(&kafka.options).create()?;
    let settings: Vec<_> = topics
        .values()
        .map(|topic| {
            let replication = topic.replication.min(brokers).max(1);
            (
                replication,
                topic.min_insync_replicas.min(replication).to_string(),
                (u64::from(topic.retention_hours) * HOUR_MS).to_string(),
            )
        })
        .collect();
    let topics: Vec<_> = topics
        .iter()
        .zip(&settings)
        .map(|((name, topic), (replication, in_sync, retention))| {
            let replication = TopicReplication::Fixed(number(*replication));
            NewTopic::new(name, number(topic.partitions), replication)
                .set("min.insync.replicas", in_sync)
                .set("retention.ms", retention)
        })
        .collect();
    let limit = Duration::from_millis(ANSWER_MS_MAX);
    let options = AdminOptions::new()
        .request_timeout(Some(limit))
        .operation_timeout(Some(limit));
    for made in admin.create_topics(&topics, &options).await? {
        match made {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                tracing::error!(event.topic = name, %code, "could not make a topic");
                return Err(KafkaError::AdminOp(code));
            }
        }
    }
    Ok(())
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
