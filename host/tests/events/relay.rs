//! The outbox's relay: what was saved is published, in order, whatever happens meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use praxis_host::capabilities::events::{
    Broker, Error, Extent, Lag, Outgoing, Received, Subscription, trace,
};
use praxis_host::manifest::Topic;
use praxis_host::triggers::relay::{Backlog, Relay, backlog};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::waiting::{eventually, within};
use crate::{database, postgres};

/// A broker that keeps what it is given, while it is up.
struct Memory {
    published: watch::Sender<Vec<Outgoing>>,
    up: watch::Sender<bool>,
    /// The version of the event that it never takes.
    refused: watch::Sender<Option<u64>>,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            published: watch::Sender::new(Vec::new()),
            up: watch::Sender::new(true),
            refused: watch::Sender::new(None),
        })
    }

    async fn until_published(&self, count: usize) -> Vec<u64> {
        let mut published = self.published.subscribe();
        let published = within(published.wait_for(|all| all.len() >= count)).await;
        let published = published.unwrap();
        published
            .iter()
            .map(|outgoing| outgoing.record.event.stream_version)
            .collect()
    }
}

#[async_trait]
impl Broker for Memory {
    async fn ensure_topics(&self, _: &BTreeMap<String, Topic>) -> Result<(), Error> {
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error> {
        if !*self.up.borrow() {
            return Err(Error::Unavailable("switched off".into()));
        }
        if let Some(outgoing) = batch.iter().find(|outgoing| outgoing.topic == "nowhere") {
            return Err(Error::UnknownTopic(outgoing.topic.clone()));
        }
        let refused = *self.refused.borrow();
        if batch
            .iter()
            .any(|outgoing| Some(outgoing.record.event.stream_version) == refused)
        {
            return Err(Error::Refused("not this one".to_owned()));
        }
        self.published
            .send_modify(|all| all.extend_from_slice(batch));
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: &[String]) -> Result<Subscription, Error> {
        unreachable!("a relay reads nothing")
    }

    async fn lag(&self, _: &str, _: &[String]) -> Result<Vec<Lag>, Error> {
        Ok(Vec::new())
    }

    async fn extent(&self, _: &str) -> Result<Vec<Extent>, Error> {
        unreachable!("a relay reads nothing")
    }

    async fn read(&self, _: &str, _: u32, _: u64, _: usize) -> Result<Vec<Received>, Error> {
        unreachable!("a relay reads nothing")
    }

    async fn offset_at(&self, _: &str, _: u32, _: u64) -> Result<u64, Error> {
        unreachable!("a relay reads nothing")
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(pool: &PgPool, broker: Arc<dyn Broker>) -> Self {
        let stop = CancellationToken::new();
        let relay = Relay::new(pool.clone(), broker, "tests");
        let task = tokio::spawn(relay.run(stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
    }
}

async fn save(pool: &PgPool, topic: &str, numbers: std::ops::Range<i64>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into outbox (topic, key, kind, stream_version, data)
        select $1, 'key', 'Counted', number, '{\"schema\": 1}'
        from generate_series($2, $3 - 1) as number",
    )
    .bind(topic)
    .bind(numbers.start)
    .bind(numbers.end)
    .execute(pool)
    .await?;
    Ok(())
}

async fn until_empty(pool: &PgPool) {
    let empty = Backlog {
        events: 0,
        oldest_ms: 0,
        refused: 0,
    };
    eventually(async || backlog(pool).await.is_ok_and(|backlog| backlog == empty)).await;
}

#[tokio::test]
async fn what_is_saved_is_published_in_order_with_its_own_id() {
    let pool = database::new().await;
    let broker = Memory::new();
    save(&pool, "facts", 0..1_000).await.unwrap();
    let relay = Running::start(&pool, broker.clone());
    assert_eq!(
        broker.until_published(1_000).await,
        (0..1_000).collect::<Vec<_>>()
    );
    until_empty(&pool).await;
    save(&pool, "facts", 1_000..1_001).await.unwrap();
    broker.until_published(1_001).await;
    until_empty(&pool).await;
    let saved: Vec<uuid::Uuid> = sqlx::query_scalar("select event_id from outbox order by id")
        .fetch_all(&pool)
        .await
        .unwrap();
    let published: Vec<_> = broker
        .published
        .borrow()
        .iter()
        .map(|outgoing| outgoing.record.id)
        .collect();
    assert_eq!(published, saved);
    relay.stop().await;
}

#[tokio::test]
async fn an_event_goes_on_with_its_trace_or_begins_one() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let pool = database::new().await;
    let broker = Memory::new();
    save(&pool, "facts", 0..2).await.unwrap();
    sqlx::query("update outbox set traceparent = $1 where stream_version = 1")
        .bind(TRACE)
        .execute(&pool)
        .await
        .unwrap();
    let relay = Running::start(&pool, broker.clone());
    broker.until_published(2).await;
    let traces: Vec<_> = broker
        .published
        .borrow()
        .iter()
        .map(|outgoing| (outgoing.record.id, outgoing.record.traceparent.clone()))
        .collect();
    assert_eq!(traces[0].1, Some(trace::begin(traces[0].0)));
    assert_eq!(traces[1].1, Some(trace::go_on(Some(TRACE), traces[1].0)));
    assert_eq!(traces[1].1.as_ref().unwrap()[..35], TRACE[..35]);
    relay.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_down_costs_no_event() {
    let pool = database::new().await;
    let broker = Memory::new();
    broker.up.send_replace(false);
    let relay = Running::start(&pool, broker.clone());
    save(&pool, "facts", 0..3).await.unwrap();
    let waiting = backlog(&pool).await.unwrap();
    assert_eq!(waiting.events, 3);
    broker.up.send_replace(true);
    assert_eq!(broker.until_published(3).await, [0, 1, 2]);
    until_empty(&pool).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_topic_that_nobody_made_holds_up_no_other() {
    let pool = database::new().await;
    let broker = Memory::new();
    save(&pool, "nowhere", 0..1).await.unwrap();
    save(&pool, "facts", 1..2).await.unwrap();
    let relay = Running::start(&pool, broker.clone());
    assert_eq!(broker.until_published(1).await, [1]);
    eventually(async || backlog(&pool).await.unwrap().events == 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_its_key_alone() {
    let pool = database::new().await;
    let broker = Memory::new();
    broker.refused.send_replace(Some(0));
    save(&pool, "facts", 0..2).await.unwrap();
    save(&pool, "rumours", 2..4).await.unwrap();
    sqlx::query("update outbox set key = 'other' where stream_version = 3")
        .execute(&pool)
        .await
        .unwrap();
    let relay = Running::start(&pool, broker.clone());
    assert_eq!(broker.until_published(2).await, [2, 3]);
    eventually(async || {
        let waiting = backlog(&pool).await.unwrap();
        (waiting.events, waiting.refused) == (2, 1)
    })
    .await;
    relay.stop().await;
    // Somebody has seen to it.
    broker.refused.send_replace(None);
    let relay = Running::start(&pool, broker.clone());
    assert_eq!(broker.until_published(4).await, [2, 3, 0, 1]);
    until_empty(&pool).await;
    relay.stop().await;
}

#[tokio::test]
async fn one_relay_publishes_and_another_takes_over() {
    let pool = database::new().await;
    let (one, other) = (Memory::new(), Memory::new());
    let first = Running::start(&pool, one.clone());
    save(&pool, "facts", 0..1).await.unwrap();
    one.until_published(1).await;
    let second = Running::start(&pool, other.clone());
    save(&pool, "facts", 1..10).await.unwrap();
    one.until_published(10).await;
    until_empty(&pool).await;
    assert!(other.published.borrow().is_empty());
    first.stop().await;
    save(&pool, "facts", 10..11).await.unwrap();
    assert_eq!(other.until_published(1).await, [10]);
    until_empty(&pool).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_when_the_database_comes_back() {
    let (mut server, _folder) = postgres::start().await;
    let pool = database::on(&server).await;
    let broker = Memory::new();
    let relay = Running::start(&pool, broker.clone());
    save(&pool, "facts", 0..1).await.unwrap();
    broker.until_published(1).await;
    until_empty(&pool).await;
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    eventually(async || save(&pool, "facts", 1..2).await.is_ok()).await;
    assert_eq!(broker.until_published(2).await[..2], [0, 1]);
    until_empty(&pool).await;
    relay.stop().await;
}

#[tokio::test]
async fn what_was_published_long_ago_goes() {
    let pool = database::new().await;
    let broker = Memory::new();
    save(&pool, "facts", 0..5).await.unwrap();
    sqlx::query(
        "update outbox set published_at = now() - interval '8 days' where stream_version < 3",
    )
    .execute(&pool)
    .await
    .unwrap();
    let relay = Running::start(&pool, broker.clone());
    eventually(async || {
        let left: i64 = sqlx::query_scalar("select count(*) from outbox")
            .fetch_one(&pool)
            .await
            .unwrap();
        left == 2
    })
    .await;
    until_empty(&pool).await;
    assert_eq!(broker.until_published(2).await, [3, 4]);
    relay.stop().await;
}
