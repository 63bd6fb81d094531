//! The event log in PostgreSQL: the embedded broker.
//!
//! A writer locks the rows of the partitions that it writes to, always in the same order, so
//! offsets are gapless and become visible in order. Members of a group lease partitions.

mod driver;
mod group;
mod lane;
mod reading;
mod retention;
mod tails;
mod wake;
mod writing;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Broker, Error, Extent, Lag, Outgoing, Received, Subscription, partitioner, with_dead_letters,
};
use crate::manifest::Topic;
use writing::{Fault, Row, Rows, Writer};

/// Wake-ups that a slow reader may be behind before it looks everywhere.
const WAKES_MAX: usize = 1_024;

/// How long the database may take to let a member in.
const JOIN_MS_MAX: u64 = 10_000;

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// The log. One connection of the pool listens; the others are borrowed for a statement each.
pub struct Log {
    pool: PgPool,
    writer: Writer,
    prefix: String,
    wakes: broadcast::Sender<wake::Wake>,
    tails: tails::Tails,
    /// Partitions by topic: they don't change once the topic is there.
    partitions: Mutex<HashMap<String, u32>>,
}

impl Log {
    /// A log in the pool's database, whose topics and groups are prefixed. Listening and retention
    /// go on in the background until `stop`.
    pub fn start(pool: PgPool, prefix: &str, stop: CancellationToken) -> Arc<Self> {
        let log = Arc::new(Self {
            pool: pool.clone(),
            writer: Writer::start(pool.clone()),
            prefix: prefix.to_owned(),
            wakes: broadcast::Sender::new(WAKES_MAX),
            tails: tails::Tails::new(pool.clone()),
            partitions: Mutex::default(),
        });
        tokio::spawn(wake::listen(pool.clone(), log.wakes.clone(), stop.clone()));
        tokio::spawn(retention::run(pool, stop));
        log
    }

    /// Removes what is older than its topic's retention, as happens every minute; answers how many
    /// records went.
    pub async fn prune(&self) -> Result<u64, Error> {
        retention::prune(&self.pool)
            .await
            .map_err(Error::unavailable)
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn short<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.prefix).unwrap_or(name)
    }

    /// How many partitions a topic has, by its full name.
    async fn partitions(&self, topic: &str) -> Result<u32, Error> {
        let known = self.known_partitions().get(topic).copied();
        if let Some(partitions) = known {
            return Ok(partitions);
        }
        let partitions: Option<i32> =
            sqlx::query_scalar("select partitions from event_topics where topic = $1")
                .bind(topic)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        let partitions = partitions
            .and_then(|partitions| u32::try_from(partitions).ok())
            .ok_or_else(|| Error::UnknownTopic(self.short(topic).to_owned()))?;
        self.known_partitions().insert(topic.to_owned(), partitions);
        Ok(partitions)
    }

    /// A partition by its topic's full name, if there is one.
    async fn at(&self, topic: &str, partition: u32) -> Result<driver::At, Error> {
        let full = self.full(topic);
        match self.partitions(&full).await? {
            partitions if partition < partitions => Ok((full, column(partition))),
            _ => Err(Error::UnknownTopic(topic.to_owned())),
        }
    }

    fn known_partitions(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.partitions
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    /// The batch by partition.
    async fn rows(&self, batch: &[Outgoing]) -> Result<Rows, Error> {
        let mut rows = Rows::new();
        for outgoing in batch {
            let topic = self.full(&outgoing.topic);
            let partitions = self.partitions(&topic).await?;
            let key = outgoing.record.event.key.as_bytes();
            let partition = match outgoing.partition {
                Some(partition) if partition < partitions => partition,
                Some(_) => return Err(Error::UnknownTopic(outgoing.topic.clone())),
                None => partitioner::partition(key, partitions),
            };
            rows.entry((topic, column(partition)))
                .or_default()
                .push(Row::new(&outgoing.record));
        }
        Ok(rows)
    }
}

#[async_trait]
impl Broker for Log {
    async fn ensure_topics(&self, topics: &BTreeMap<String, Topic>) -> Result<(), Error> {
        for (name, topic) in with_dead_letters(topics) {
            sqlx::query(
                "with topic as (
                    insert into event_topics (topic, partitions, retention_ms)
                    values ($1, $2, $3)
                    on conflict (topic) do nothing
                    returning topic, partitions
                )
                insert into event_partitions (topic, partition)
                select topic, generate_series(0, partitions - 1)
                from topic",
            )
            .bind(self.full(&name))
            .bind(column(topic.partitions))
            .bind(i64::from(topic.retention_hours) * HOUR_MS)
            .execute(&self.pool)
            .await
            .map_err(Error::unavailable)?;
        }
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.writer.write(self.rows(batch).await?).await? {
            Ok(()) => Ok(()),
            Err(Fault::Unavailable(error)) => Err(Error::unavailable(error)),
            Err(Fault::Refused(reason)) => Err(Error::Refused(reason)),
            Err(Fault::Gone) => {
                self.known_partitions().clear();
                // Says which one it is; if all are there again, the next try says how that goes.
                self.rows(batch).await?;
                Err(Error::unavailable("a partition was gone"))
            }
        }
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error> {
        let stop = CancellationToken::new();
        let (sender, assigned) = mpsc::unbounded_channel();
        let membership = group::Membership {
            pool: self.pool.clone(),
            prefix: self.prefix.clone(),
            group: self.full(group),
            member: crate::clock::id(),
            topics: topics.iter().map(|topic| self.full(topic)).collect(),
        };
        for topic in &membership.topics {
            self.partitions(topic).await?;
        }
        let wakes = self.wakes.subscribe();
        let partitions = answered(JOIN_MS_MAX, membership.join())
            .await
            .map_err(Error::unavailable)?;
        let driver = driver::Driver::new(membership, partitions, self.tails.clone(), sender);
        let driver = tokio::spawn(driver.run(wakes, stop.clone()));
        Ok(Subscription {
            assigned,
            leave: stop.drop_guard(),
            driver,
        })
    }

    async fn extent(&self, topic: &str) -> Result<Vec<Extent>, Error> {
        let topic = self.full(topic);
        self.partitions(&topic).await?;
        reading::extent(&self.pool, &topic)
            .await
            .map_err(Error::unavailable)
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        records_max: usize,
    ) -> Result<Vec<Received>, Error> {
        let at = self.at(topic, partition).await?;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        reading::records(&self.pool, topic, &at, from, records_max, i64::MAX)
            .await
            .map_err(Error::unavailable)
    }

    async fn offset_at(&self, topic: &str, partition: u32, time_ms: u64) -> Result<u64, Error> {
        let at = self.at(topic, partition).await?;
        reading::offset_at(&self.pool, &at, time_ms)
            .await
            .map_err(Error::unavailable)
    }

    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error> {
        let topics: Vec<_> = topics.iter().map(|topic| self.full(topic)).collect();
        let mut lags = reading::lag(&self.pool, &self.full(group), &topics)
            .await
            .map_err(Error::unavailable)?;
        for lag in &mut lags {
            group.clone_into(&mut lag.group);
            lag.topic = self.short(&lag.topic).to_owned();
        }
        Ok(lags)
    }

    async fn health(&self) -> Result<(), Error> {
        sqlx::query("select 1")
            .execute(&self.pool)
            .await
            .map_err(Error::unavailable)?;
        Ok(())
    }
}

/// An answer of the database, or an error if it takes longer than that: a connection whose other
/// end is gone may never say so.
async fn answered<T>(
    limit_ms: u64,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    tokio::time::timeout(Duration::from_millis(limit_ms), answer)
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

/// A partition as a column holds it.
fn column(partition: u32) -> i32 {
    i32::try_from(partition).expect("a topic has 1024 partitions at most")
}

/// An offset as a column holds it.
fn offset_column(offset: u64) -> i64 {
    i64::try_from(offset).expect("an offset came from a bigint")
}
