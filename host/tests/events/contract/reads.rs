//! What every adapter answers outside its groups: what is there, from where, how old.

use std::sync::Arc;

use praxis_host::capabilities::events::{
    Broker, DeadLetter, Error, Extent, Outgoing, Record, Replay, Resolution, Resolved,
};
use praxis_host::clock;

use super::reader::{Mode, Reader, outgoing};
use super::suite::PARTITIONS;
use crate::waiting::{eventually, within};

const PARTITION: u32 = 2;

/// Counted from `first`, in the one partition.
fn in_one_partition(numbers: std::ops::Range<u64>) -> Vec<Outgoing> {
    numbers
        .map(|number| Outgoing {
            partition: Some(PARTITION),
            ..outgoing("facts", "key", number)
        })
        .collect()
}

async fn read(broker: &Arc<dyn Broker>, from: u64, records_max: usize) -> Vec<u64> {
    let read = within(broker.read("facts", PARTITION, from, records_max)).await;
    let offset = |at: usize| from + at as u64;
    let read = read.unwrap();
    for (at, received) in read.iter().enumerate() {
        assert_eq!(received.offset, offset(at));
        assert_eq!(
            (received.topic.as_str(), received.partition),
            ("facts", PARTITION)
        );
    }
    read.iter()
        .map(|received| received.record.event.stream_version)
        .collect()
}

pub async fn a_record_lies_where_it_is_put(broker: Arc<dyn Broker>) {
    for partition in 0..PARTITIONS {
        let record = Outgoing {
            partition: Some(partition),
            ..outgoing("facts", "key", u64::from(partition))
        };
        broker.publish(&[record]).await.unwrap();
    }
    for partition in 0..PARTITIONS {
        let read = broker.read("facts", partition, 0, 10).await.unwrap();
        let numbers: Vec<_> = read
            .iter()
            .map(|received| received.record.event.stream_version)
            .collect();
        assert_eq!(numbers, [u64::from(partition)]);
    }
    let nowhere = Outgoing {
        partition: Some(PARTITIONS),
        ..outgoing("facts", "key", 0)
    };
    let refused = within(broker.publish(&[nowhere])).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
}

pub async fn all_that_is_known_of_a_record_is_kept(broker: Arc<dyn Broker>) {
    let plain = outgoing("facts", "key", 0).record;
    let letter = DeadLetter {
        cut_bytes: Some(70_000),
        reason: "no such number: 7 ≠ 8".to_owned(),
        attempts: 4,
        group: "app.counter".to_owned(),
        component: "counter".to_owned(),
        version: "3".to_owned(),
        topic: "facts".to_owned(),
        partition: 5,
        offset: 17,
    };
    let resolution = Resolution {
        outcome: Resolved::Redriven,
        offset: 3,
    };
    let replay = Replay {
        group: "app.counter".to_owned(),
        from: 12,
    };
    let records = [
        Record {
            dead_letter: Some(letter),
            ..plain.clone()
        },
        Record {
            resolution: Some(resolution),
            ..plain.clone()
        },
        Record {
            only_for: Some("app.counter".to_owned()),
            ..plain.clone()
        },
        Record::replay(clock::id(), "tests".to_owned(), 1, replay),
    ];
    let batch: Vec<_> = records
        .iter()
        .map(|record| Outgoing {
            topic: "facts".to_owned(),
            partition: Some(PARTITION),
            record: record.clone(),
        })
        .collect();
    broker.publish(&batch).await.unwrap();
    let read = broker.read("facts", PARTITION, 0, 10).await.unwrap();
    let read: Vec<_> = read.into_iter().map(|received| received.record).collect();
    assert_eq!(read, records);
}

pub async fn a_partition_is_read_from_anywhere(broker: Arc<dyn Broker>) {
    broker.publish(&in_one_partition(0..10)).await.unwrap();
    assert_eq!(read(&broker, 0, 4).await, [0, 1, 2, 3]);
    assert_eq!(read(&broker, 4, 4).await, [4, 5, 6, 7]);
    assert_eq!(read(&broker, 8, 4).await, [8, 9], "and no more");
    assert_eq!(read(&broker, 2, 3).await, [2, 3, 4], "and back");
    assert_eq!(read(&broker, 10, 4).await, [] as [u64; 0]);
    broker.publish(&in_one_partition(10..12)).await.unwrap();
    assert_eq!(read(&broker, 10, 4).await, [10, 11]);
    assert_eq!(read(&broker, 5, 100).await, [5, 6, 7, 8, 9, 10, 11]);

    let refused = within(broker.read("facts", PARTITIONS, 0, 4)).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
    let refused = within(broker.read("nothing", 0, 0, 4)).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
}

pub async fn the_extent_is_what_is_there(broker: Arc<dyn Broker>) {
    broker.publish(&in_one_partition(0..10)).await.unwrap();
    let extent = |partition| Extent {
        partition,
        start: 0,
        end: if partition == PARTITION { 10 } else { 0 },
    };
    let expected: Vec<_> = (0..PARTITIONS).map(extent).collect();
    assert_eq!(broker.extent("facts").await.unwrap(), expected);
    let refused = within(broker.extent("nothing")).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
}

pub async fn nothing_was_published_in_the_future(broker: Arc<dyn Broker>) {
    broker.publish(&in_one_partition(0..10)).await.unwrap();
    let tomorrow = clock::now() + chrono::TimeDelta::days(1);
    let tomorrow = tomorrow.timestamp_millis().unsigned_abs();
    let offset = broker.offset_at("facts", PARTITION, tomorrow).await;
    assert_eq!(offset.unwrap(), 10);
    let refused = within(broker.offset_at("facts", PARTITIONS, tomorrow)).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic(_))),
        "{refused:?}"
    );
}

pub async fn lag_grows_older_until_it_is_gone(broker: Arc<dyn Broker>) {
    let topics = ["facts".to_owned()];
    broker.publish(&in_one_partition(0..3)).await.unwrap();
    let behind = async || {
        let lag = broker.lag("readers", &topics).await.unwrap();
        lag.iter().map(|lag| lag.behind_ms).max().unwrap()
    };
    eventually(async || behind().await > 0).await;
    let before = behind().await;
    eventually(async || behind().await > before).await;
    // Who reads beside the group changes nothing for it.
    assert_eq!(read(&broker, 0, 10).await, [0, 1, 2]);
    let mut reader = Reader::join(&broker, "readers", &["facts"], Mode::Complete).await;
    reader.until_read(3).await;
    reader.leave().await;
    assert_eq!(behind().await, 0);
}
