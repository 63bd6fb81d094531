//! What a broker will never take: it blocks nothing, and is seen.

use std::sync::Arc;
use std::time::Duration;

use praxis_host::capabilities::events::postgres::Log;
use praxis_host::capabilities::events::{Broker, Error, dead_letter_topic};
use praxis_host::runtime::consumer::{Event, Outcome, Publication};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deliveries::{COUNTER, Consumer};
use super::reader::{Mode, Reader, numbers, outgoing};
use super::{on_postgres, suite};
use crate::database;
use crate::waiting::{eventually, within};

/// How long the log waits for the database, with room for a busy machine.
const APPEND_MS_MAX: u64 = 10_000;
const SLACK_MS: u64 = 10_000;

/// `spoil` makes an event that the broker refuses.
pub async fn a_publication_that_is_refused_makes_its_event_a_dead_letter(
    broker: Arc<dyn Broker>,
    spoil: fn(&mut Event),
) {
    let mut spoilt = outgoing("facts", "key", 9);
    spoil(&mut spoilt.record.event);
    let refused = broker.publish(&[spoilt]).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");

    let batch: Vec<_> = (0..3).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    let mut consumer = Consumer::start(&broker, move |delivery| {
        if delivery.event.stream_version != 1 {
            return Outcome::Done(Vec::new());
        }
        let mut event = delivery.event.clone();
        spoil(&mut event);
        let topic = "rumours".to_owned();
        Outcome::Done(vec![Publication { topic, event }])
    });
    assert_eq!(consumer.until_called(3).await, [(0, 1), (1, 1), (2, 1)]);
    let topic = dead_letter_topic("facts");
    let mut reader = Reader::join(&broker, "operators", &[&topic], Mode::Complete).await;
    let letters = reader.until_read(1).await;
    assert_eq!(letters[0].record.event, batch[1].record.event);
    let dead = letters[0].record.dead_letter.as_ref().unwrap();
    let reason = &dead.reason;
    assert!(
        reason.starts_with("what it published was refused"),
        "{reason}"
    );
    reader.leave().await;
    consumer.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

async fn lag(broker: &Arc<dyn Broker>) -> u64 {
    let lag = broker.lag(COUNTER, &["facts".to_owned()]).await.unwrap();
    lag.iter().map(|lag| lag.lag).sum()
}

/// Lets the log refuse records as the condition says.
async fn refuse(pool: &PgPool, condition: &str) {
    for statement in [
        format!(
            "create or replace function refuse() returns trigger language plpgsql as $$
            begin
                if {condition} then
                    raise exception 'not this one';
                end if;
                return new;
            end
            $$"
        ),
        "create or replace trigger refuse before insert on event_log
            for each row execute function refuse()"
            .to_owned(),
    ] {
        let statement = AssertSqlSafe(statement);
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_dead_letter_that_is_too_large_loses_its_payload_alone() {
    let pool = database::new().await;
    let broker = on_postgres::log(&pool).await;
    refuse(
        &pool,
        "new.topic like '%.dlq' and octet_length(new.data) > 1000",
    )
    .await;
    let mut large = outgoing("facts", "key", 0);
    large.record.event.data = format!("\"{}\"", "x".repeat(2_000));
    let batch = [large, outgoing("facts", "key", 1)];
    broker.publish(&batch).await.unwrap();
    let mut consumer = Consumer::start(&broker, |_| Outcome::Reject("no".to_owned()));
    consumer.until_called(2).await;
    let topic = dead_letter_topic("facts");
    let mut reader = Reader::join(&broker, "operators", &[&topic], Mode::Complete).await;
    let letters = reader.until_read(2).await;
    let cut: Vec<_> = letters
        .iter()
        .map(|letter| letter.record.dead_letter.as_ref().unwrap().cut_bytes)
        .collect();
    assert_eq!(cut, [Some(2_002), None]);
    assert_eq!(letters[0].record.id, batch[0].record.id);
    assert_eq!(letters[0].record.event.data, "{}");
    reader.leave().await;
    consumer.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

#[tokio::test]
async fn a_dead_letter_that_is_refused_altogether_holds_its_key_until_it_is_taken() {
    let pool = database::new().await;
    let broker = on_postgres::log(&pool).await;
    refuse(&pool, "new.topic like '%.dlq'").await;
    broker
        .publish(&[outgoing("facts", "key", 0)])
        .await
        .unwrap();
    let mut consumer = Consumer::start(&broker, |_| Outcome::Reject("no".to_owned()));
    consumer.until_called(3).await;
    assert_eq!(lag(&broker).await, 1);
    refuse(&pool, "false").await;
    eventually(async || broker.extent("facts.dlq").await.unwrap()[0].end == 1).await;
    consumer.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_spoils_nobody_elses() {
    const WRITERS: u64 = 32;
    let pool = database::new().await;
    let broker = on_postgres::log(&pool).await;
    refuse(&pool, "new.key = 'key-7'").await;
    let publish = |number| {
        let broker = broker.clone();
        async move {
            let event = outgoing("facts", &format!("key-{number}"), number);
            broker.publish(&[event]).await
        }
    };
    let published = within(futures::future::join_all((0..WRITERS).map(publish))).await;
    for (number, published) in published.into_iter().enumerate() {
        if number == 7 {
            assert!(matches!(published, Err(Error::Refused(_))), "{published:?}");
        } else {
            published.unwrap();
        }
    }
}

/// Locks the topic's partitions: who writes to them waits.
async fn lock(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut locked = pool.begin().await.unwrap();
    sqlx::query("select from event_partitions for update")
        .execute(&mut *locked)
        .await
        .unwrap();
    locked
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_written() {
    let pool = database::new().await;
    let broker = on_postgres::log(&pool).await;
    let locked = lock(&pool).await;
    let publish = |number| {
        let broker = broker.clone();
        tokio::spawn(async move { broker.publish(&[outgoing("facts", "key", number)]).await })
    };
    let first = publish(0);
    // It has taken all that waits, and stands at the lock.
    eventually(async || waiting(&pool).await).await;
    let second = [outgoing("facts", "key", 1)];
    let second = tokio::time::timeout(Duration::from_millis(100), broker.publish(&second));
    assert!(second.await.is_err());
    let third = publish(2);
    locked.rollback().await.unwrap();
    within(first).await.unwrap().unwrap();
    within(third).await.unwrap().unwrap();
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    assert_eq!(numbers(&reader.until_read(2).await, "key"), [0, 2]);
    reader.leave().await;
}

/// Whether somebody waits for a lock in this database.
async fn waiting(pool: &PgPool) -> bool {
    sqlx::query_scalar(
        "select exists (
            select
            from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'
        )",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_database_that_hangs_is_unavailable_in_time() {
    let pool = database::new().await;
    let log = Log::start(pool.clone(), "test.", CancellationToken::new());
    log.ensure_topics(&suite::topics()).await.unwrap();
    let locked = lock(&pool).await;
    let began = Instant::now();
    let published = log.publish(&[outgoing("facts", "key", 0)]).await;
    let took = began.elapsed();
    assert!(
        matches!(published, Err(Error::Unavailable(_))),
        "{published:?}"
    );
    let limit = Duration::from_millis(APPEND_MS_MAX + SLACK_MS);
    assert!(took < limit, "{took:?}");
    locked.rollback().await.unwrap();
    log.publish(&[outgoing("facts", "key", 0)]).await.unwrap();
}
