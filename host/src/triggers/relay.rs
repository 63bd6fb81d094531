//! Publishes what components saved: the outbox, in the order of its ids.
//!
//! Within a key the ids are in the order of the commits, because whoever writes for a key holds
//! its row's lock. A row is stamped once the broker has it; a crash in between publishes it again,
//! with the same id.

mod wake;

use std::collections::BTreeSet;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::postgres::{PgConnection, PgListener};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::wake::{POLL_AWAKE_MS, Wake};
use super::backoff::backoff;
use super::leader::{Leader, Office, answered};
use crate::capabilities::events::{Broker, Error, Outgoing, Record, trace};
use crate::runtime::consumer::Event;

const CHANNEL: &str = "praxis_outbox";
const BATCH_ROWS_MAX: usize = 256;

const RECONNECT_MS: u64 = 1_000;

const RETRY_FIRST_MS: u64 = 100;
const RETRY_MS_MAX: u64 = 5_000;

const PRUNE_EVERY_MS: u64 = 60_000;
const PRUNE_ROWS_MAX: i64 = 1_000;
const PUBLISHED_KEPT_DAYS: i32 = 7;

/// Keys of which the broker refuses an event, that are known at one time: beyond it, a whole topic
/// is left out.
const HELD_KEYS_MAX: usize = 1_024;

/// Rows counted when somebody asks how many there are.
const BACKLOG_ROWS_MAX: i64 = 100_000;

/// The outbox's reader. Every host runs one; one of them publishes.
pub struct Relay {
    pool: PgPool,
    broker: Arc<dyn Broker>,
    /// The CloudEvents source of what it publishes.
    source: String,
}

/// What waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Unpublished rows; counted up to 100,000.
    pub events: u64,
    /// The age of the oldest, 0 if there is none.
    pub oldest_ms: u64,
    /// Those among them that the broker refuses: each holds back the later ones of its key.
    pub refused: u64,
}

/// What is left out for a while.
#[derive(Default)]
struct Held {
    /// Topics that nobody made.
    topics: BTreeSet<String>,
    /// Topics and keys of events that the broker refuses.
    keys: BTreeSet<String>,
}

/// The unpublished rows of the outbox.
pub async fn backlog(pool: &PgPool) -> sqlx::Result<Backlog> {
    let (events, oldest_ms, refused): (i64, i64, i64) = sqlx::query_as(
        "select
            count(*),
            coalesce((extract(epoch from now() - min(created_at)) * 1000)::bigint, 0),
            count(refused)
        from (
            select created_at, refused
            from outbox
            where published_at is null
            order by id
            limit $1
        ) as waiting",
    )
    .bind(BACKLOG_ROWS_MAX)
    .fetch_one(pool)
    .await?;
    Ok(Backlog {
        events: events.unsigned_abs(),
        // A clock may have been set back.
        oldest_ms: oldest_ms.max(0).unsigned_abs(),
        refused: refused.unsigned_abs(),
    })
}

impl Relay {
    pub fn new(pool: PgPool, broker: Arc<dyn Broker>, source: &str) -> Self {
        Self {
            pool,
            broker,
            source: source.to_owned(),
        }
    }

    /// Publishes until `stop`, whatever happens to PostgreSQL or the broker meanwhile.
    pub async fn run(self, stop: CancellationToken) {
        let news = Arc::new(Notify::new());
        let listener = tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(listen(self.pool.clone(), news.clone())),
        );
        let options = self.pool.connect_options();
        while let Some(leader) = Leader::elected(&options, Office::Relay, &stop).await {
            if let Err(error) = self.lead(leader.connection, &news, &stop).await {
                tracing::warn!(%error, "the relay lost its connection, and with it the lead");
            }
        }
        if let Err(error) = listener.await {
            tracing::error!(%error, "the relay's listener failed");
        }
    }

    /// Publishes as long as the connection, which holds the lock, lives: the queries run on it.
    async fn lead(
        &self,
        mut connection: PgConnection,
        news: &Notify,
        stop: &CancellationToken,
    ) -> sqlx::Result<()> {
        let mut pauses = backoff(RETRY_FIRST_MS, RETRY_MS_MAX);
        let mut prune_at = Instant::now();
        let mut held = Held::default();
        let mut wake = Wake::default();
        while !stop.is_cancelled() {
            if prune_at <= Instant::now() {
                let pruned = answered(prune(&mut connection)).await?;
                // A full batch: there is more.
                if pruned < PRUNE_ROWS_MAX.unsigned_abs() {
                    prune_at = Instant::now() + Duration::from_millis(PRUNE_EVERY_MS);
                    // Tried again: somebody may have seen to it.
                    held = Held::default();
                }
            }
            let rows = answered(unpublished(&mut connection, &held)).await?;
            let pause = if rows.is_empty() {
                match answered(wake.pause(&mut connection)).await? {
                    Some(pause) => pause,
                    None => continue,
                }
            } else {
                answered(wake.stay(&mut connection)).await?;
                let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
                let batch: Vec<_> = rows.into_iter().map(|row| self.outgoing(row)).collect();
                match self.broker.publish(&batch).await {
                    Ok(()) => {
                        answered(stamp(&mut connection, &ids)).await?;
                        metrics::counter!("outbox.published").increment(ids.len() as u64);
                        pauses = backoff(RETRY_FIRST_MS, RETRY_MS_MAX);
                        if ids.len() == BATCH_ROWS_MAX {
                            continue;
                        }
                        Duration::from_millis(POLL_AWAKE_MS)
                    }
                    Err(Error::UnknownTopic(topic)) => {
                        tracing::error!(
                            event.topic = topic,
                            "the outbox holds events for a topic that nobody made: they stay there"
                        );
                        held.topics.insert(topic);
                        continue;
                    }
                    Err(Error::Refused(_)) => {
                        let published = self.publish_each(&mut connection, &ids, &batch, &mut held);
                        let published = published.await?;
                        answered(stamp(&mut connection, &published)).await?;
                        metrics::counter!("outbox.published").increment(published.len() as u64);
                        continue;
                    }
                    Err(error) => {
                        metrics::counter!("outbox.failures").increment(1);
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, "the outbox waits");
                        pauses()
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = news.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Publishes one at a time what was refused together, and finds out which one it is. That one
    /// holds back the later ones of its key, and nothing else. Answers what was published.
    async fn publish_each(
        &self,
        connection: &mut PgConnection,
        ids: &[i64],
        batch: &[Outgoing],
        held: &mut Held,
    ) -> sqlx::Result<Vec<i64>> {
        let mut published = Vec::new();
        for (id, outgoing) in ids.iter().zip(batch) {
            let topic = &outgoing.topic;
            let key = held_key(topic, &outgoing.record.event.key);
            if held.keys.contains(&key) || held.topics.contains(topic) {
                continue;
            }
            match self.broker.publish(from_ref(outgoing)).await {
                Ok(()) => published.push(*id),
                Err(Error::Refused(reason)) => {
                    tracing::error!(
                        outbox.id = id,
                        event.id = %outgoing.record.id,
                        event.topic = topic,
                        reason,
                        "the broker refuses an event of the outbox: it stays there, and the later \
                         ones of its key behind it"
                    );
                    metrics::counter!("outbox.refused").increment(1);
                    answered(note_refused(connection, *id, &reason)).await?;
                    if held.keys.len() < HELD_KEYS_MAX {
                        held.keys.insert(key);
                    } else {
                        held.topics.insert(topic.clone());
                    }
                }
                // The loop comes to it again.
                Err(Error::Unavailable(_) | Error::UnknownTopic(_) | Error::Lost) => break,
            }
        }
        Ok(published)
    }

    fn outgoing(&self, row: Row) -> Outgoing {
        let event = Event {
            kind: row.kind,
            key: row.key,
            stream_version: row.stream_version.unsigned_abs(),
            data: row.data,
        };
        let time_ms = row.created_at.timestamp_millis().unsigned_abs();
        Outgoing {
            topic: row.topic,
            partition: None,
            record: Record {
                traceparent: Some(trace::go_on(row.traceparent.as_deref(), row.event_id)),
                ..Record::new(row.event_id, self.source.clone(), time_ms, event)
            },
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    event_id: Uuid,
    topic: String,
    key: String,
    kind: String,
    stream_version: i64,
    data: String,
    created_at: DateTime<Utc>,
    traceparent: Option<String>,
}

async fn unpublished(connection: &mut PgConnection, held: &Held) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select
            id,
            event_id,
            topic,
            key,
            kind,
            stream_version,
            data::text as data,
            created_at,
            traceparent
        from outbox
        where published_at is null
            and topic <> all($1)
            and topic || ' ' || key <> all($2)
        order by id
        limit $3",
    )
    .bind(held.topics.iter().cloned().collect::<Vec<_>>())
    .bind(held.keys.iter().cloned().collect::<Vec<_>>())
    .bind(i64::try_from(BATCH_ROWS_MAX).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

async fn stamp(connection: &mut PgConnection, ids: &[i64]) -> sqlx::Result<()> {
    sqlx::query(
        "update outbox
        set published_at = now(), refused = null
        where id = any($1)",
    )
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

async fn note_refused(connection: &mut PgConnection, id: i64, reason: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update outbox
        set refused = $2
        where id = $1",
    )
    .bind(id)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// How a key that is left out is told to the database. No topic has a space in its name.
fn held_key(topic: &str, key: &str) -> String {
    format!("{topic} {key}")
}

/// Deletes a batch of what was published long ago, and says how many there were. Ids grow with
/// time, so the oldest rows are looked at, and no index on the time is needed.
async fn prune(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let pruned = sqlx::query(
        "delete from outbox
        where id in (
            select id
            from (
                select id, published_at
                from outbox
                where published_at is not null
                order by id
                limit $1
            ) as oldest
            where published_at < now() - make_interval(days => $2)
        )",
    )
    .bind(PRUNE_ROWS_MAX)
    .bind(PUBLISHED_KEPT_DAYS)
    .execute(connection)
    .await?;
    Ok(pruned.rows_affected())
}

/// Passes on that something was committed. What it misses, the relay finds by looking.
async fn listen(pool: PgPool, news: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&pool, &news).await {
            tracing::debug!(%error, "lost the connection that listens to the outbox");
        }
        tokio::time::sleep(Duration::from_millis(RECONNECT_MS)).await;
    }
}

async fn listen_once(pool: &PgPool, news: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        news.notify_one();
        listener.recv().await?;
    }
}
