//! What a lease in PostgreSQL is worth when the database does not answer, or answers another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use praxis_host::capabilities::events::Broker;
use praxis_host::clock;
use praxis_host::runtime::consumer::{Delivery, Handler, Outcome};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::Instant;

use super::deliveries::start;
use super::on_postgres::log;
use super::reader::{Mode, Reader, outgoing};
use super::suite;
use crate::database;
use crate::waiting::{eventually, within};

/// A lease, and what a busy machine may add.
const LEASE_MS: u64 = 6_000;
const SLACK_MS: u64 = 3_000;

/// Never comes to an end; tells whether it runs.
struct Endless(watch::Sender<bool>);

/// Tells when it is dropped.
struct Running<'a>(&'a Endless);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}

#[async_trait]
impl Handler for Endless {
    async fn handle(&self, _: &Delivery) -> Outcome {
        self.0.send_replace(true);
        let _running = Running(self);
        std::future::pending().await
    }
}

/// Makes all partitions another member's.
async fn take_over(connection: &mut PgConnection) {
    sqlx::query(
        "update event_groups
        set member = $1, leased_until = now() + interval '1 hour'",
    )
    .bind(clock::id())
    .execute(connection)
    .await
    .unwrap();
}

async fn committed(broker: &Arc<dyn Broker>, group: &str) -> u64 {
    let lag = broker.lag(group, &["facts".to_owned()]).await.unwrap();
    lag.iter().map(|lag| lag.committed).sum()
}

#[tokio::test]
async fn a_member_without_an_answer_drops_what_it_handles_when_its_lease_ends() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let event = outgoing("facts", "key", 0);
    broker.publish(&[event]).await.unwrap();
    let handler = Arc::new(Endless(watch::Sender::new(false)));
    let mut runs = handler.0.subscribe();
    let (stop, task) = start(&broker, handler.clone());
    within(runs.wait_for(|runs| *runs)).await.unwrap();

    // Renewals wait for this transaction.
    let mut other = pool.begin().await.unwrap();
    take_over(&mut other).await;
    let began = Instant::now();
    within(runs.wait_for(|runs| !*runs)).await.unwrap();
    let took = began.elapsed();
    let limit = Duration::from_millis(LEASE_MS + SLACK_MS);
    assert!(took <= limit, "{took:?}");

    // It was nobody else's after all: it is handled again.
    other.rollback().await.unwrap();
    within(runs.wait_for(|runs| *runs)).await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    take_over(&mut other).await;
    within(runs.wait_for(|runs| !*runs)).await.unwrap();
    stop.cancel();
    within(task).await.unwrap();
}

#[tokio::test]
async fn a_member_commits_nothing_over_a_newer_one() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_held(suite::PARTITIONS as usize).await;
    broker
        .publish(&[outgoing("facts", "key", 0)])
        .await
        .unwrap();
    reader.until_read(1).await;
    eventually(async || committed(&broker, "readers").await == 1).await;

    let mut other = pool.acquire().await.unwrap();
    take_over(&mut other).await;
    broker
        .publish(&[outgoing("facts", "key", 1)])
        .await
        .unwrap();
    reader.until_held(0).await;
    reader.leave().await;
    assert_eq!(committed(&broker, "readers").await, 1);
}

/// It drains for longer than a lease holds: the partition stays its own until it is done.
#[tokio::test]
async fn a_member_that_leaves_keeps_what_it_still_handles() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    broker
        .publish(&[outgoing("facts", "key", 0)])
        .await
        .unwrap();
    let handler = Arc::new(Endless(watch::Sender::new(false)));
    let mut runs = handler.0.subscribe();
    let (stop, task) = start(&broker, handler.clone());
    within(runs.wait_for(|runs| *runs)).await.unwrap();
    let other = Arc::new(Endless(watch::Sender::new(false)));
    let mut runs_there = other.0.subscribe();

    stop.cancel();
    let (stop, next) = start(&broker, other.clone());
    // Both would run at once.
    within(runs_there.wait_for(|runs| *runs)).await.unwrap();
    assert!(!*runs.borrow_and_update());
    within(task).await.unwrap();
    stop.cancel();
    next.abort();
}
