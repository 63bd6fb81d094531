//! What only Kafka has: a limit on the time between two polls, brokers that fall one by one, TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use praxis_host::capabilities::events::kafka::Kafka;
use praxis_host::capabilities::events::kafka::security::{Login, Mechanism, Secret, Security, Tls};
use praxis_host::capabilities::events::{Broker, Error, Progress};
use rdkafka::mocking::{MockCluster, MockCoordinator};

use super::on_kafka::{SESSION_MS, cluster, create_topics, host, options};
use super::reader::{Mode, Reader, numbers, outgoing};
use super::suite;
use super::tls::Front;
use crate::waiting::{eventually, within};

/// More than the client reads ahead of a partition.
const BACKLOG: u64 = 10_000;

async fn publish(broker: &Arc<dyn Broker>, numbers: std::ops::Range<u64>) {
    let batch: Vec<_> = numbers.map(|n| outgoing("facts", "key", n)).collect();
    while within(broker.publish(&batch)).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_slower_than_the_poll_interval_loses_nothing() {
    let cluster = cluster();
    let mut options = options(&cluster.bootstrap_servers());
    options.poll_ms_max = SESSION_MS;
    let broker: Arc<dyn Broker> = Arc::new(Kafka::new(options).unwrap());
    broker.ensure_topics(&suite::topics()).await.unwrap();
    for start in (0..BACKLOG).step_by(1_000) {
        publish(&broker, start..start + 1_000).await;
    }
    let mut group = broker
        .subscribe("readers", &["facts".to_owned()])
        .await
        .unwrap();
    let mut quiet = Vec::new();
    let (mut partition, first) = within(async {
        loop {
            let mut partition = group.assigned().await;
            let read = tokio::time::timeout(Duration::from_secs(2), partition.next()).await;
            match read {
                Ok(first) => return (partition, first.unwrap()),
                Err(_) => quiet.push(partition),
            }
        }
    })
    .await;
    // The handler at work: its partition is full, and nobody reads it.
    tokio::time::sleep(Duration::from_millis(3 * SESSION_MS)).await;
    assert!(!partition.revoked().is_cancelled());
    partition
        .complete(Progress::through(first.offset))
        .await
        .unwrap();
    for offset in 1..BACKLOG {
        let read = within(partition.next()).await.unwrap();
        assert_eq!(
            (read.offset, read.record.event.stream_version),
            (offset, offset)
        );
        partition.complete(Progress::through(offset)).await.unwrap();
    }
    drop((partition, quiet));
    within(group.close()).await;
    let lag = broker.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_three_that_falls_costs_no_event() {
    let cluster = cluster();
    let broker = host(&cluster).await;
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    publish(&broker, 0..100).await;
    reader.until_read(50).await;
    for id in 1..=3 {
        cluster.broker_down(id).unwrap();
        let start = u64::try_from(id).unwrap() * 100;
        let published = tokio::spawn({
            let broker = broker.clone();
            async move { publish(&broker, start..start + 100).await }
        });
        // Time for what is under way to fail.
        let _ = tokio::time::timeout(Duration::from_millis(500), reader.until_read(1_000)).await;
        cluster.broker_up(id).unwrap();
        within(published).await.unwrap();
    }
    let seen = reader
        .until(|seen| numbers(seen, "key").contains(&399))
        .await;
    // What was published again came again: but first came first.
    let mut firsts = numbers(&seen, "key");
    let mut known = std::collections::BTreeSet::new();
    firsts.retain(|number| known.insert(*number));
    assert_eq!(firsts, (0..400).collect::<Vec<_>>());
    reader.leave().await;
}

/// A commit that was under way when the coordinator went does not keep the later ones from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_is_heard_by_the_next_coordinator() {
    let cluster = cluster();
    let broker = host(&cluster).await;
    let coordinate = |by| {
        let group = MockCoordinator::Group("test.readers".to_owned());
        cluster.coordinator(group, by).unwrap();
    };
    coordinate(1);
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    publish(&broker, 0..100).await;
    reader.until_read(100).await;
    for id in 1..=3 {
        let next = id % 3 + 1;
        let start = u64::try_from(id).unwrap() * 100;
        let published = tokio::spawn({
            let broker = broker.clone();
            async move { publish(&broker, start..start + 100).await }
        });
        cluster.broker_down(id).unwrap();
        coordinate(next);
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.broker_up(id).unwrap();
        within(published).await.unwrap();
        let lag = async || {
            let lag = broker.lag("readers", &["facts".to_owned()]).await;
            lag.map_or(u64::MAX, |lag| lag.iter().map(|lag| lag.lag).sum())
        };
        eventually(async || lag().await == 0).await;
    }
    reader.leave().await;
}

fn trusting(authority: &Path) -> Security {
    Security {
        tls: Some(Tls {
            authorities: Some(authority.to_owned()),
            identity: None,
        }),
        login: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_over_tls() {
    let cluster = MockCluster::new(1).unwrap();
    create_topics(&cluster);
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let front = Front::start(&cluster.bootstrap_servers(), folder.path()).await;
    let other = Front::start(&cluster.bootstrap_servers(), other.path()).await;
    let connect = |security| -> Arc<dyn Broker> {
        let mut options = options(&front.address);
        options.security = security;
        Arc::new(Kafka::new(options).unwrap())
    };
    suite::publishes_in_order_per_key(connect(trusting(&front.certificate))).await;

    // Neither does a client talk to somebody else, nor without encryption.
    for security in [trusting(&other.certificate), Security::default()] {
        let health = within(connect(security).health()).await;
        assert!(matches!(health, Err(Error::Unavailable(_))), "{health:?}");
    }
}

/// The mock brokers know no logins: a client that has one must not go on without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_to_log_in_does_not_go_on_without() {
    let cluster = cluster();
    for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut options = options(&cluster.bootstrap_servers());
        options.security.login = Some(Login {
            mechanism: Mechanism::parse(name).unwrap(),
            username: "praxis".to_owned(),
            password: Secret::from("hush".to_owned()),
        });
        // That it is made at all shows that the mechanism is built in.
        let broker = Kafka::new(options).unwrap();
        let health = within(broker.health()).await;
        assert!(matches!(health, Err(Error::Unavailable(_))), "{health:?}");
    }
}
