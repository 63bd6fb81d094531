//! The dead letters, read where they are: in Kafka or in the log in PostgreSQL.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde_json::Value;
use sqlx::PgPool;

use crate::checker::Letter;
use crate::manifest::DEAD_LETTERS;

const BROKER_MS_MAX: Duration = Duration::from_secs(20);

pub fn in_kafka(bootstrap: &str) -> anyhow::Result<Vec<Letter>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "fault-run")
        .set("enable.auto.commit", "false")
        .create()?;
    let (low, high) = consumer
        .fetch_watermarks(DEAD_LETTERS, 0, BROKER_MS_MAX)
        .context("could not ask for the ends of the dead letters")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(DEAD_LETTERS, 0, rdkafka::Offset::Offset(low))?;
    consumer.assign(&list)?;
    let mut letters = Vec::new();
    for at in low..high {
        let Some(message) = consumer.poll(BROKER_MS_MAX) else {
            bail!("dead letter {at} of {high} could not be read in time");
        };
        letters.push(of_message(&message?)?);
    }
    Ok(letters)
}

pub async fn in_postgres(pool: &PgPool) -> anyhow::Result<Vec<Letter>> {
    let rows: Vec<(String, Value)> = sqlx::query_as(
        r#"select key, headers
        from event_log
        where topic = $1
        order by partition, "offset""#,
    )
    .bind(DEAD_LETTERS)
    .fetch_all(pool)
    .await
    .context("could not read the dead letters")?;
    let letter = |(key, headers): (String, Value)| {
        letter(key, |name| headers[name].as_str().map(str::to_owned))
    };
    rows.into_iter().map(letter).collect()
}

fn of_message(message: &BorrowedMessage<'_>) -> anyhow::Result<Letter> {
    let key = String::from_utf8(message.key().unwrap_or_default().to_vec())?;
    let headers = message.headers().context("a dead letter has headers")?;
    letter(key, |name| {
        let header = headers.iter().find(|header| header.key == name)?;
        String::from_utf8(header.value?.to_vec()).ok()
    })
}

fn letter(key: String, header: impl Fn(&str) -> Option<String>) -> anyhow::Result<Letter> {
    let header = |name: &str| {
        header(name).with_context(|| format!("a dead letter of {key} has no header {name}"))
    };
    Ok(Letter {
        id: header("ce_id")?.parse().context("an id is a UUID")?,
        reason: header("deadletter-reason")?,
        attempts: header("deadletter-attempts")?
            .parse()
            .context("attempts are a number")?,
        key,
    })
}
