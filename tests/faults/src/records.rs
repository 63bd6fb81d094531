//! The records of a topic, read where they are: in Kafka or in the log in PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde::Deserialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::checker::{FollowUp, Letter};

const BROKER_MS_MAX: Duration = Duration::from_secs(20);

/// A record, as it lies there.
pub struct Record {
    key: String,
    headers: BTreeMap<String, String>,
    data: Vec<u8>,
}

/// All of them, by partition and offset.
pub fn in_kafka(bootstrap: &str, topic: &str, partitions: u32) -> anyhow::Result<Vec<Record>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "fault-run")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..i32::try_from(partitions)? {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition, BROKER_MS_MAX)
            .with_context(|| format!("could not ask for the end of {topic}/{partition}"))?;
        ensure!(low == 0, "the broker kept {topic}/{partition} from {low}");
        left += high;
        list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut records = BTreeMap::new();
    while left > 0 {
        let Some(message) = consumer.poll(BROKER_MS_MAX) else {
            bail!("{left} records of {topic} could not be read in time");
        };
        let message = message?;
        left -= 1;
        records.insert((message.partition(), message.offset()), record(&message)?);
    }
    Ok(records.into_values().collect())
}

/// All of them, by partition and offset.
pub async fn in_postgres(pool: &PgPool, topic: &str) -> anyhow::Result<Vec<Record>> {
    type Row = (String, sqlx::types::Json<BTreeMap<String, String>>, Vec<u8>);
    let rows: Vec<Row> = sqlx::query_as(
        r#"select key, headers, data
        from event_log
        where topic = $1
        order by partition, "offset""#,
    )
    .bind(topic)
    .fetch_all(pool)
    .await
    .with_context(|| format!("could not read the records of {topic}"))?;
    let record = |(key, headers, data): Row| Record {
        key,
        headers: headers.0,
        data,
    };
    Ok(rows.into_iter().map(record).collect())
}

fn record(message: &BorrowedMessage<'_>) -> anyhow::Result<Record> {
    let headers = message.headers().into_iter().flat_map(|all| all.iter());
    let headers = headers.map(|header| {
        let value = String::from_utf8_lossy(header.value.unwrap_or_default());
        (header.key.to_owned(), value.into_owned())
    });
    Ok(Record {
        key: String::from_utf8(message.key().unwrap_or_default().to_vec())?,
        headers: headers.collect(),
        data: message.payload().unwrap_or_default().to_vec(),
    })
}

impl Record {
    /// As a dead letter; `None` if it says what became of one.
    pub fn letter(&self) -> anyhow::Result<Option<Letter>> {
        if self.headers.contains_key("deadletter-resolution") {
            return Ok(None);
        }
        let attempts = self.header("deadletter-attempts")?;
        Ok(Some(Letter {
            id: self.id()?,
            key: self.key.clone(),
            group: self.header("deadletter-group")?.to_owned(),
            reason: self.header("deadletter-reason")?.to_owned(),
            attempts: attempts.parse().context("attempts are a number")?,
        }))
    }

    /// As what the recorder published.
    pub fn follow_up(&self) -> anyhow::Result<FollowUp> {
        #[derive(Deserialize)]
        struct Data {
            of: Uuid,
            attempt: u32,
        }
        let Data { of, attempt } = serde_json::from_slice(&self.data)
            .with_context(|| format!("the payload of a follow-up of {} is odd", self.key))?;
        Ok(FollowUp {
            id: self.id()?,
            key: self.key.clone(),
            of,
            attempt,
        })
    }

    fn id(&self) -> anyhow::Result<Uuid> {
        self.header("ce_id")?.parse().context("an id is a UUID")
    }

    fn header(&self, name: &str) -> anyhow::Result<&str> {
        let header = self.headers.get(name);
        let header = header.map(String::as_str);
        header.with_context(|| format!("a record of {} has no header {name}", self.key))
    }
}
