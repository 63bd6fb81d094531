//! What only the log in PostgreSQL has: leases, wake-ups, retention, shared transactions.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use praxis_host::capabilities::events::postgres::Log;
use praxis_host::capabilities::events::{Broker, Error, Extent, partitioner};
use praxis_host::runtime::consumer::Outcome;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deliveries::Consumer;
use super::on_postgres::{log, new};
use super::reader::{Mode, Reader, numbers, outgoing};
use super::suite;
use crate::database;
use crate::waiting::{eventually, within};

/// What a member that died may cost the others.
const TAKEOVER_MS_MAX: u64 = 10_000;

/// How often a member looks for what a wake-up missed.
const HEARTBEAT_MS: u64 = 2_000;

#[tokio::test]
async fn a_host_that_dies_is_followed_within_seconds() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();

    // A host of its own, which ends without a word.
    let dying = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let options = (*pool.connect_options()).clone();
    let read = dying.spawn(async move {
        let pool = PgPool::connect_with(options).await.unwrap();
        let broker = log(&pool).await;
        let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::NeverComplete).await;
        reader.until_read(10).await;
        reader
    });
    let mut reader = within(read).await.unwrap();
    // Another is there already: it learns of the death by itself.
    let mut other = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let half = suite::PARTITIONS as usize / 2;
    other.until_held(half).await;
    reader.until_held(half).await;
    dying.shutdown_background();
    let died = Instant::now();
    drop(reader);

    other.until_held(suite::PARTITIONS as usize).await;
    let took = died.elapsed();
    let seen = other.until_read(10).await;
    assert_eq!(numbers(&seen, "key"), (0..10).collect::<Vec<_>>());
    assert!(took <= Duration::from_millis(TAKEOVER_MS_MAX), "{took:?}");
    other.leave().await;
}

#[tokio::test]
async fn what_is_older_than_its_topics_retention_goes() {
    let pool = database::new().await;
    let log = Log::start(pool.clone(), "test.", CancellationToken::new());
    log.ensure_topics(&suite::topics()).await.unwrap();
    let broker: Arc<dyn Broker> = log.clone();
    for topic in ["facts", "rumours"] {
        let batch: Vec<_> = (0..10).map(|n| outgoing(topic, "key", n)).collect();
        broker.publish(&batch).await.unwrap();
    }
    assert_eq!(log.prune().await.unwrap(), 0);
    sqlx::query(
        r#"update event_log
        set published_at = now() - interval '169 hours'
        where topic = 'test.facts' and "offset" < 7"#,
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(log.prune().await.unwrap(), 7);
    let start = broker.extent("facts").await.unwrap();
    let start = start.into_iter().find(|extent| extent.end == 10).unwrap();
    let expected = Extent { start: 7, ..start };
    assert_eq!(start, expected);
    let read = broker.read("facts", start.partition, 0, 10).await.unwrap();
    assert_eq!(numbers(&read, "key"), [7, 8, 9]);
    // What is gone is no lag, and a group that is new starts at what is left.
    let lag = broker.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 3);
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    assert_eq!(numbers(&reader.until_read(3).await, "key"), [7, 8, 9]);
    reader.leave().await;
}

#[tokio::test]
async fn what_a_group_has_not_finished_is_kept_longer_and_missed_aloud() {
    let pool = database::new().await;
    let log = Log::start(pool.clone(), "test.", CancellationToken::new());
    log.ensure_topics(&suite::topics()).await.unwrap();
    let broker: Arc<dyn Broker> = log.clone();
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    for (group, mode) in [("slow", Mode::NeverComplete), ("quick", Mode::Complete)] {
        let mut reader = Reader::join(&broker, group, &["facts"], mode).await;
        reader.until_read(10).await;
        reader.leave().await;
    }
    let age = async |hours: i32| {
        sqlx::query(
            r#"update event_log
            set published_at = now() - make_interval(hours => $1)
            where "offset" < 7"#,
        )
        .bind(hours)
        .execute(&pool)
        .await
        .unwrap();
    };
    age(169).await;
    assert_eq!(log.prune().await.unwrap(), 0);
    // Twice its time is enough.
    age(2 * 168 + 1).await;
    assert_eq!(log.prune().await.unwrap(), 7);

    for (group, lost) in [("slow", 7), ("quick", 0)] {
        broker
            .publish(&[outgoing("facts", "key", 10)])
            .await
            .unwrap();
        let facts = ["facts".to_owned()];
        let mut subscription = broker.subscribe(group, &facts).await.unwrap();
        let missed = loop {
            let mut partition = within(subscription.assigned()).await;
            if partition.index() == partitioner::partition(b"key", suite::PARTITIONS) {
                within(partition.next()).await.unwrap();
                break partition.missed();
            }
        };
        assert_eq!(missed, lost, "{group}");
        drop(subscription);
    }
}

/// Two writers, many keys each, in opposite orders: neither waits for the other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_do_not_lock_each_other_out() {
    let broker = new().await;
    let write = |reversed: bool| {
        let broker = broker.clone();
        tokio::spawn(async move {
            for round in 0..50 {
                let keys = (0..12).map(|key| format!("key-{key}"));
                let mut batch: Vec<_> = keys.map(|key| outgoing("facts", &key, round)).collect();
                if reversed {
                    batch.reverse();
                }
                broker.publish(&batch).await.unwrap();
            }
        })
    };
    let (one, other) = (write(false), write(true));
    within(one).await.unwrap();
    within(other).await.unwrap();
    let lag = broker.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.end).sum::<u64>(), 1_200);
}

#[tokio::test]
async fn a_wake_up_does_not_wait_for_the_heartbeat() {
    const EVENTS: u64 = 20;
    let broker = new().await;
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_held(suite::PARTITIONS as usize).await;
    let started = Instant::now();
    for number in 0..EVENTS {
        let event = outgoing("facts", "key", number);
        broker.publish(&[event]).await.unwrap();
        reader
            .until_read(usize::try_from(number).unwrap() + 1)
            .await;
    }
    // Found by looking now and then, each would cost most of a heartbeat.
    let took = started.elapsed();
    let limit = Duration::from_millis(HEARTBEAT_MS * EVENTS / 4);
    assert!(took < limit, "{took:?}");
    reader.leave().await;
}

/// Every question is answered from an index, also by a reader that waits for nothing.
#[tokio::test]
async fn the_log_is_never_scanned() {
    let pool = database::new().await;
    let log = Log::start(pool.clone(), "test.", CancellationToken::new());
    log.ensure_topics(&suite::topics()).await.unwrap();
    let broker: Arc<dyn Broker> = log.clone();
    for round in 0..20 {
        let batch: Vec<_> = (0..1_000)
            .map(|n| outgoing("facts", &format!("key-{}", n % 50), round * 1_000 + n))
            .collect();
        broker.publish(&batch).await.unwrap();
    }
    sqlx::query("analyze").execute(&pool).await.unwrap();
    let scans = async |pool: &PgPool| -> i64 {
        sqlx::query_scalar(
            "select seq_scan
            from pg_stat_user_tables
            where relname = 'event_log'",
        )
        .fetch_one(pool)
        .await
        .unwrap()
    };
    let options = (*pool.connect_options()).clone();
    let looking = PgPool::connect_with(options).await.unwrap();
    let before = scans(&looking).await;

    let facts = ["facts".to_owned()];
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_read(20_000).await;
    broker
        .publish(&[outgoing("facts", "key", 0)])
        .await
        .unwrap();
    reader.until_read(20_001).await;
    reader.leave().await;
    broker.lag("readers", &facts).await.unwrap();
    broker.lag("others", &facts).await.unwrap();
    broker.extent("facts").await.unwrap();
    broker.read("facts", 1, 100, 50).await.unwrap();
    broker
        .offset_at("facts", 1, 1_767_225_600_000)
        .await
        .unwrap();
    log.prune().await.unwrap();

    // A connection that ends tells what it counted.
    pool.close().await;
    assert_eq!(scans(&looking).await, before);
}

#[tokio::test]
async fn a_time_has_its_offset() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let batch: Vec<_> = (0..100).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    // One a second, and the first forty are gone.
    sqlx::query(
        r#"update event_log
        set published_at = to_timestamp(1767225600 + "offset")"#,
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query(r#"delete from event_log where "offset" < 40"#)
        .execute(&pool)
        .await
        .unwrap();
    let extents = broker.extent("facts").await.unwrap();
    let partition = extents.iter().find(|extent| extent.end == 100).unwrap();
    for (seconds_ms, offset) in [
        (0, 40),
        (40_000, 40),
        (40_001, 41),
        (77_500, 78),
        (99_000, 99),
        (99_001, 100),
    ] {
        let time_ms = 1_767_225_600_000 + seconds_ms;
        let found = broker
            .offset_at("facts", partition.partition, time_ms)
            .await;
        assert_eq!(found.unwrap(), offset, "{seconds_ms}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_publishes_at_once_shares_a_transaction() {
    const WRITERS: u64 = 64;
    let pool = database::new().await;
    let broker = log(&pool).await;
    let publish = |number| {
        let broker = broker.clone();
        // What PostgreSQL can't keep spoils nobody else's.
        let key = if number == 7 {
            "no\0key".to_owned()
        } else {
            format!("key-{number}")
        };
        async move {
            let batch: Vec<_> = (0..3).map(|n| outgoing("facts", &key, n)).collect();
            broker.publish(&batch).await
        }
    };
    let published = within(join_all((0..WRITERS).filter(|n| *n != 7).map(publish))).await;
    assert!(published.iter().all(Result::is_ok));
    let transactions: i64 =
        sqlx::query_scalar("select count(distinct published_at) from event_log")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(transactions < 16, "{transactions}");

    let published = within(join_all((0..WRITERS).map(publish))).await;
    let failed: Vec<_> = (0..WRITERS)
        .zip(&published)
        .filter_map(|(number, published)| published.is_err().then_some(number))
        .collect();
    assert_eq!(failed, [7]);
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = reader.until_read(2 * 3 * 63).await;
    for number in (0..WRITERS).filter(|n| *n != 7) {
        let read = numbers(&seen, &format!("key-{number}"));
        assert_eq!(read, [0, 1, 2, 0, 1, 2]);
    }
    reader.leave().await;
}

/// More than is read ahead, in bytes: it comes all the same, in order.
#[tokio::test]
async fn a_backlog_of_large_events_is_read_in_parts() {
    let broker = new().await;
    let filler = "x".repeat(60_000);
    for start in (0..60).step_by(20) {
        let large = |number| {
            let mut large = outgoing("facts", "key", number);
            large.record.event.data = format!("\"{filler}\"");
            large
        };
        let batch: Vec<_> = (start..start + 20).map(large).collect();
        broker.publish(&batch).await.unwrap();
    }
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = reader.until_read(60).await;
    assert_eq!(numbers(&seen, "key"), (0..60).collect::<Vec<_>>());
    reader.leave().await;
}

#[tokio::test]
async fn a_topic_that_nobody_made_is_unknown() {
    let broker = new().await;
    let refused = broker.publish(&[outgoing("nothing", "key", 0)]).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_event_waits_for_a_topic_of_dead_letters() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    for table in ["event_partitions", "event_topics"] {
        let gone = format!("delete from {table} where topic = 'test.facts.dlq'");
        sqlx::query(AssertSqlSafe(gone))
            .execute(&pool)
            .await
            .unwrap();
    }
    broker
        .publish(&[outgoing("facts", "key", 1)])
        .await
        .unwrap();
    let mut consumer = Consumer::start(&broker, |_| Outcome::Reject("no\nway\0".to_owned()));
    consumer.until_called(2).await;
    broker.ensure_topics(&suite::topics()).await.unwrap();
    let letters = async || broker.extent("facts.dlq").await.unwrap()[0].end;
    eventually(async || letters().await == 1).await;
    consumer.stop().await;
    let lag = broker
        .lag("app.counter", &["facts".to_owned()])
        .await
        .unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 0);
}
