//! What only Kafka has: a limit on the time between two polls, brokers that fall one by one, TLS.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use praxis_host::capabilities::events::kafka::Kafka;
use praxis_host::capabilities::events::kafka::security::{Login, Mechanism, Security, Tls};
use praxis_host::capabilities::events::{Broker, Error, Outgoing, Progress};
use praxis_host::capabilities::secret::Secret;
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::keys::{Doors, Member, Step, TERMS, lag, neighbours};
use super::on_kafka::{ALL, SESSION_MS, cluster, create_topics, host, options};
use super::reader::{Mode, Reader, numbers, outgoing};
use super::suite;
use super::tls::Front;
use crate::waiting::{eventually, within};

/// How long a handler is at work: longer than the time between two polls may be.
const WORK_MAX: Duration = Duration::from_millis(3 * SESSION_MS);

/// More than the client reads ahead of a partition.
const BACKLOG: u64 = 10_000;

async fn publish(broker: &Arc<dyn Broker>, numbers: Range<u64>) {
    while try_to_publish(broker, numbers.clone()).await.is_err() {}
}

/// Ends in `DELIVERY_MS_MAX` at most, also without the broker that leads the partition.
async fn try_to_publish(broker: &Arc<dyn Broker>, numbers: Range<u64>) -> Result<(), Error> {
    let batch: Vec<_> = numbers.map(|n| outgoing("facts", "key", n)).collect();
    within(broker.publish(&batch)).await
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
    let revoked = partition.revoked();
    let taken_away = tokio::time::timeout(WORK_MAX, revoked.cancelled()).await;
    assert!(
        taken_away.is_err(),
        "the group missed a member that was at work"
    );
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
        let start = u64::try_from(id).unwrap() * 100;
        cluster.broker_down(id).unwrap();
        let published = try_to_publish(&broker, start..start + 100).await;
        cluster.broker_up(id).unwrap();
        if published.is_err() {
            publish(&broker, start..start + 100).await;
        }
    }
    let seen = reader
        .until(|seen| numbers(seen, "key").contains(&399))
        .await;
    // What was published again came again: but first came first.
    let mut firsts = numbers(&seen, "key");
    let mut known = BTreeSet::new();
    firsts.retain(|number| known.insert(*number));
    assert_eq!(firsts, (0..400).collect::<Vec<_>>());
    reader.leave().await;
}

/// Else it would go out as often as somebody lost patience; and if the client gave up on records one
/// by one, a later one of a key could arrive without an earlier one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_while_it_is_under_way_is_there_once_and_in_order() {
    let cluster = cluster();
    let mut options = options(&cluster.bootstrap_servers());
    options.delivery_ms_max = 500;
    let broker: Arc<dyn Broker> = Arc::new(Kafka::new(options).unwrap());
    broker.ensure_topics(&suite::topics()).await.unwrap();
    let batch: Vec<_> = (0..61).map(|n| outgoing("facts", "key", n)).collect();
    let until_taken = async |records: &[Outgoing]| {
        eventually(async || broker.publish(records).await.is_ok()).await;
    };
    until_taken(&batch[..1]).await;
    cluster.broker_down(ALL).unwrap();
    // Nobody comes back for the last of these: they arrive all the same, in their turn.
    for records in [&batch[1..50], &batch[1..50], &batch[1..50], &batch[50..60]] {
        let refused = within(broker.publish(records)).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    cluster.broker_up(ALL).unwrap();
    until_taken(&batch[1..50]).await;
    until_taken(&batch[60..]).await;
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = reader
        .until(|seen| numbers(seen, "key").contains(&60))
        .await;
    assert_eq!(numbers(&seen, "key"), (0..61).collect::<Vec<_>>());
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
            async move { try_to_publish(&broker, start..start + 100).await }
        });
        cluster.broker_down(id).unwrap();
        coordinate(next);
        let published = within(published).await.unwrap();
        cluster.broker_up(id).unwrap();
        if published.is_err() {
            publish(&broker, start..start + 100).await;
        }
        let lag = async || {
            let lag = broker.lag("readers", &["facts".to_owned()]).await;
            lag.map_or(u64::MAX, |lag| lag.iter().map(|lag| lag.lag).sum())
        };
        eventually(async || lag().await == 0).await;
    }
    reader.leave().await;
}

/// A member that the group has missed does not finish what it handles: somebody else may be at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_partition_still_handles_is_dropped() {
    let cluster = cluster();
    let broker = host(&cluster).await;
    let key = &neighbours(1)[0];
    super::keys::publish(&broker, std::slice::from_ref(key), 0..2).await;
    let doors = Doors::new(&[key], &[]);
    let member = Member::start(&broker, doors.clone(), TERMS);
    doors.until_seen(key, Step::Begun(0)).await;
    // What the coordinator says to the next sign of life of a member that it has given up.
    let unknown = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID];
    cluster.request_errors(RDKafkaApiKey::Heartbeat, &unknown);
    // It joins anew, and has the partition again.
    let twice = [Step::Begun(0), Step::Begun(0)];
    eventually(async || doors.of(key) == twice).await;
    doors.shut.send_replace(BTreeSet::new());
    doors.until_done(key, 2).await;
    member.stop().await;
    let steps = [Step::Done(0), Step::Begun(1), Step::Done(1)];
    assert_eq!(doors.of(key), [&twice[..], &steps].concat());
    assert_eq!(lag(&broker).await, 0);
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
