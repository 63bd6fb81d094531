//! What every adapter does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use praxis_host::capabilities::events::{Broker, Error, dead_letter_topic, partitioner};
use praxis_host::manifest::Topic;

use super::reader::{Mode, Reader, numbers, outgoing};
use crate::waiting::{eventually, within};

pub const PARTITIONS: u32 = 6;

/// The topics that every test has.
pub fn topics() -> BTreeMap<String, Topic> {
    let topic = Topic {
        partitions: PARTITIONS,
        retention_hours: 168,
        replication: 3,
        min_insync_replicas: 2,
    };
    BTreeMap::from([
        ("facts".to_owned(), topic.clone()),
        ("rumours".to_owned(), topic),
    ])
}

pub async fn publishes_in_order_per_key(broker: Arc<dyn Broker>) {
    let keys: Vec<_> = (0..20).map(|key| format!("key-{key}")).collect();
    for round in 0..10 {
        let batch: Vec<_> = (0..5)
            .flat_map(|at| {
                keys.iter()
                    .map(move |key| outgoing("facts", key, round * 5 + at))
            })
            .collect();
        broker.publish(&batch).await.unwrap();
    }
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = reader.until_read(1_000).await;
    for key in &keys {
        assert_eq!(numbers(&seen, key), (0..50).collect::<Vec<_>>(), "{key}");
        let partitions: BTreeSet<_> = seen
            .iter()
            .filter(|received| received.record.event.key == *key)
            .map(|received| received.partition)
            .collect();
        let expected = partitioner::partition(key.as_bytes(), PARTITIONS);
        assert_eq!(partitions, BTreeSet::from([expected]), "{key}");
    }
    reader.leave().await;
}

pub async fn what_is_read_is_what_was_published(broker: Arc<dyn Broker>) {
    let mut sent = outgoing("facts", "ключ", 7);
    sent.record.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    broker.publish(&[sent.clone()]).await.unwrap();
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = reader.until_read(1).await;
    assert_eq!(seen[0].record, sent.record);
    assert_eq!(seen[0].topic, "facts");
    assert_eq!(seen[0].malformed, None);
    reader.leave().await;
}

pub async fn an_event_published_while_somebody_waits_arrives(broker: Arc<dyn Broker>) {
    let mut reader = Reader::join(&broker, "readers", &["facts", "rumours"], Mode::Complete).await;
    reader.until_held(2 * PARTITIONS as usize).await;
    for (number, topic) in ["facts", "rumours", "facts"].into_iter().enumerate() {
        let number = number as u64;
        broker
            .publish(&[outgoing(topic, "key", number)])
            .await
            .unwrap();
        reader.until_read(number as usize + 1).await;
    }
    reader.leave().await;
}

pub async fn what_was_not_completed_is_delivered_again(broker: Arc<dyn Broker>) {
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    let mut dying = Reader::join(&broker, "readers", &["facts"], Mode::NeverComplete).await;
    dying.until_read(10).await;
    dying.leave().await;
    let mut next = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    let seen = next.until_read(10).await;
    assert_eq!(numbers(&seen, "key"), (0..10).collect::<Vec<_>>());
    next.leave().await;
}

pub async fn groups_are_independent(broker: Arc<dyn Broker>) {
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    for group in ["one", "other"] {
        let mut reader = Reader::join(&broker, group, &["facts"], Mode::Complete).await;
        let seen = reader.until_read(10).await;
        assert_eq!(numbers(&seen, "key"), (0..10).collect::<Vec<_>>());
        reader.leave().await;
    }
}

/// `again` is the same broker, met by a host that has just started.
pub async fn offsets_survive_a_restart(broker: Arc<dyn Broker>, again: Arc<dyn Broker>) {
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_read(10).await;
    reader.leave().await;
    drop(broker);

    again
        .publish(&[outgoing("facts", "key", 10)])
        .await
        .unwrap();
    let mut reader = Reader::join(&again, "readers", &["facts"], Mode::Complete).await;
    let seen = reader.until_read(1).await;
    assert_eq!(numbers(&seen, "key"), [10]);
    reader.leave().await;
}

/// `second` is the same broker, as another host meets it.
pub async fn members_share_the_partitions(first: Arc<dyn Broker>, second: Arc<dyn Broker>) {
    let half = PARTITIONS as usize / 2;
    let mut one = Reader::join(&first, "readers", &["facts"], Mode::Complete).await;
    one.until_held(PARTITIONS as usize).await;
    let mut other = Reader::join(&second, "readers", &["facts"], Mode::Complete).await;
    one.until_held(half).await;
    other.until_held(half).await;

    let batch: Vec<_> = (0..60)
        .map(|n| outgoing("facts", &format!("key-{}", n % 12), n))
        .collect();
    first.publish(&batch).await.unwrap();
    let all = || one.seen.borrow().len() + other.seen.borrow().len() >= 60;
    eventually(async || all()).await;
    let partitions = |reader: &Reader| -> BTreeSet<_> {
        let seen = reader.seen.borrow();
        seen.iter().map(|received| received.partition).collect()
    };
    assert!(partitions(&one).is_disjoint(&partitions(&other)));

    other.leave().await;
    one.until_held(PARTITIONS as usize).await;
    let seen = one.seen.borrow().len();
    let batch: Vec<_> = (0..12)
        .map(|n| outgoing("facts", &format!("key-{n}"), 100 + n))
        .collect();
    first.publish(&batch).await.unwrap();
    let after = one.until_read(seen + 12).await;
    assert_eq!(after.len(), seen + 12, "what the other had done came again");
    one.leave().await;
}

pub async fn lag_is_what_is_not_completed(broker: Arc<dyn Broker>) {
    let topics = ["facts".to_owned()];
    let batch: Vec<_> = (0..10).map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
    let lag = broker.lag("readers", &topics).await.unwrap();
    assert_eq!(lag.len(), PARTITIONS as usize);
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 10);
    assert!(
        lag.iter()
            .all(|lag| lag.group == "readers" && lag.topic == "facts")
    );

    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_read(10).await;
    reader.leave().await;
    let lag = broker.lag("readers", &topics).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 0);
    assert_eq!(lag.iter().map(|lag| lag.committed).sum::<u64>(), 10);
}

pub async fn topics_that_are_there_stay_as_they_are(broker: Arc<dyn Broker>) {
    broker
        .publish(&[outgoing("facts", "key", 1)])
        .await
        .unwrap();
    let mut other = topics();
    for topic in other.values_mut() {
        topic.partitions += 1;
    }
    broker.ensure_topics(&other).await.unwrap();
    let lag = broker.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag.len(), PARTITIONS as usize);
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 1);
}

pub async fn every_topic_has_its_dead_letters(broker: Arc<dyn Broker>) {
    let topic = dead_letter_topic("facts");
    broker.publish(&[outgoing(&topic, "key", 1)]).await.unwrap();
    let lag = broker.lag("readers", &[topic]).await.unwrap();
    assert_eq!(lag.len(), 1);
}

/// `take_down` and `bring_up` are the broker's power switch.
pub async fn a_broker_that_is_down_is_unavailable_and_comes_back(
    broker: Arc<dyn Broker>,
    take_down: impl AsyncFnOnce(),
    bring_up: impl AsyncFnOnce(),
) {
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    broker
        .publish(&[outgoing("facts", "key", 0)])
        .await
        .unwrap();
    reader.until_read(1).await;
    broker.health().await.unwrap();

    take_down().await;
    let refused = within(broker.publish(&[outgoing("facts", "key", 1)])).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let health = within(broker.health()).await;
    assert!(matches!(health, Err(Error::Unavailable(_))), "{health:?}");

    bring_up().await;
    eventually(async || broker.publish(&[outgoing("facts", "key", 2)]).await.is_ok()).await;
    reader.until(|seen| numbers(seen, "key").contains(&2)).await;
    broker.health().await.unwrap();
    reader.leave().await;
}
