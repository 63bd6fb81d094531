//! What operators do with dead letters, and with what was handled: on any adapter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use praxis_host::capabilities::events::Broker;
use praxis_host::runtime::consumer::Outcome;
use praxis_host::triggers::kafka::dead_letters::{DeadLetters, Id, Page, Refused};
use praxis_host::triggers::kafka::replay::request::{self, From};

use super::deliveries::{Consumer, coloured, group};
use super::reader::outgoing;
use crate::waiting::eventually;

fn letters(broker: &Arc<dyn Broker>) -> DeadLetters {
    letters_of(broker, "app.counter")
}

/// Where this group reads facts, and nobody else.
fn letters_of(broker: &Arc<dyn Broker>, group: &str) -> DeadLetters {
    let readers = BTreeMap::from([("facts".to_owned(), BTreeSet::from([group.to_owned()]))]);
    DeadLetters::new(Arc::clone(broker), readers, "tests")
}

async fn open(letters: &DeadLetters) -> Vec<Id> {
    let Page { items, next_cursor } = letters.list(None, None, 100).await.unwrap();
    assert_eq!(next_cursor, None);
    items.into_iter().map(|letter| letter.id).collect()
}

async fn publish(broker: &Arc<dyn Broker>, events: &[(&str, u64)]) {
    let batch: Vec<_> = events
        .iter()
        .map(|(key, number)| {
            let mut outgoing = outgoing("facts", key, *number);
            outgoing.record.others = vec![coloured()];
            outgoing
        })
        .collect();
    broker.publish(&batch).await.unwrap();
}

/// Rejects odd numbers until it is mended.
fn picky(broker: &Arc<dyn Broker>) -> (Consumer, Arc<AtomicBool>) {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    let consumer = Consumer::start(broker, move |delivery| {
        if delivery.event.stream_version % 2 == 1 && !mended.load(Ordering::SeqCst) {
            return Outcome::Reject("it is odd".to_owned());
        }
        Outcome::Done(Vec::new())
    });
    (consumer, is_mended)
}

async fn until_open(letters: &DeadLetters, count: usize) -> Vec<Id> {
    eventually(async || open(letters).await.len() == count).await;
    open(letters).await
}

pub async fn a_dead_letter_is_redriven_in_its_turn(broker: Arc<dyn Broker>) {
    publish(&broker, &[("key", 1), ("key", 2), ("key", 3), ("other", 5)]).await;
    let (mut consumer, is_mended) = picky(&broker);
    let letters = letters(&broker);
    until_open(&letters, 3).await;
    let page = letters.list(Some("facts"), None, 2).await.unwrap();
    let first = &page.items[0];
    assert_eq!((first.reason.as_str(), first.attempts), ("it is odd", 1));
    assert_eq!(page.next_cursor.as_ref(), Some(&page.items[1].id));
    let rest = letters.list(None, page.next_cursor.as_ref(), 2).await;
    assert_eq!(rest.unwrap().items.len(), 1);

    let mut of_key = Vec::new();
    for id in open(&letters).await {
        let letter = letters.find(&id).await.unwrap();
        if letter.key == "key" {
            let data = letter.data.unwrap();
            of_key.push((data["number"].as_u64().unwrap(), id));
        }
    }
    let [(1, one), (3, three)] = &of_key[..] else {
        panic!("{of_key:?}");
    };
    let early = letters.redrive(three).await.unwrap_err();
    assert!(
        matches!(&early, Refused::Earlier(id) if id == one),
        "{early}"
    );

    is_mended.store(true, Ordering::SeqCst);
    let partition = letters.find(one).await.unwrap().partition;
    letters.redrive(one).await.unwrap();
    letters.redrive(three).await.unwrap();
    let there = broker.read("facts", partition, 0, 100).await.unwrap();
    let mut there = there.into_iter().map(|read| read.record);
    let again = there.find(|record| record.only_for.is_some()).unwrap();
    assert_eq!(again.others, [coloured()], "as it was");
    let calls = consumer.until_called(6).await;
    let again: Vec<_> = calls[4..].iter().map(|(number, _)| *number).collect();
    assert_eq!(again, [1, 3]);
    let gone = letters.redrive(one).await.unwrap_err();
    assert!(matches!(gone, Refused::Unknown), "{gone}");
    assert_eq!(open(&letters).await.len(), 1);
    consumer.stop().await;
}

pub async fn all_dead_letters_are_redriven_in_order(broker: Arc<dyn Broker>) {
    let events: Vec<_> = (0..12).map(|number| ("key", number)).collect();
    publish(&broker, &events).await;
    let (mut consumer, is_mended) = picky(&broker);
    let letters = letters(&broker);
    until_open(&letters, 6).await;
    is_mended.store(true, Ordering::SeqCst);
    let done = letters.redrive_all("facts").await.unwrap();
    assert_eq!((done.redriven.len(), done.open), (6, 0));
    let calls = consumer.until_called(18).await;
    let again: Vec<_> = calls[12..].iter().map(|(number, _)| *number).collect();
    assert_eq!(again, [1, 3, 5, 7, 9, 11]);
    assert_eq!(open(&letters).await, []);
    let none = letters.redrive_all("rumours").await.unwrap_err();
    assert!(matches!(none, Refused::Unknown), "{none}");
    consumer.stop().await;
}

pub async fn a_discarded_dead_letter_is_gone(broker: Arc<dyn Broker>) {
    publish(&broker, &[("key", 1)]).await;
    let (consumer, _) = picky(&broker);
    let letters = letters(&broker);
    let ids = until_open(&letters, 1).await;
    // Of a group that is no more, it can't be redriven.
    let renamed = letters_of(&broker, "app.renamed");
    let unread = renamed.redrive(&ids[0]).await.unwrap_err();
    assert!(
        matches!(&unread, Refused::Unread(group) if group == "app.counter"),
        "{unread}"
    );
    let none = renamed.redrive_all("facts").await.unwrap();
    assert_eq!((none.redriven.len(), none.open), (0, 1));
    letters.discard(&ids[0]).await.unwrap();
    assert_eq!(open(&letters).await, []);
    let gone = letters.find(&ids[0]).await.unwrap_err();
    assert!(matches!(gone, Refused::Unknown), "{gone}");
    consumer.stop().await;
}

pub async fn what_was_redriven_is_for_its_group_alone(broker: Arc<dyn Broker>) {
    publish(&broker, &[("key", 1)]).await;
    let (mut consumer, is_mended) = picky(&broker);
    let letters = letters(&broker);
    let ids = until_open(&letters, 1).await;
    let mut others = Consumer::start_as("app.other", &broker, |_| Outcome::Done(Vec::new()));
    assert_eq!(others.until_called(1).await, [(1, 1)]);
    is_mended.store(true, Ordering::SeqCst);
    letters.redrive(&ids[0]).await.unwrap();
    publish(&broker, &[("key", 2)]).await;
    assert_eq!(consumer.until_called(3).await, [(1, 1), (1, 1), (2, 1)]);
    assert_eq!(others.until_called(2).await, [(1, 1), (2, 1)]);
    consumer.stop().await;
    others.stop().await;
}

pub async fn a_group_handles_again_what_it_is_asked_to(broker: Arc<dyn Broker>) {
    publish(&broker, &[("key", 1), ("key", 2), ("key", 3)]).await;
    let mut consumer = Consumer::start(&broker, |_| Outcome::Done(Vec::new()));
    consumer.until_called(3).await;
    let groups = [group("app.counter")];
    let ask = async |group: &str, topic: &str, partition| {
        request::publish(&broker, &groups, group, topic, partition, From::Earliest).await
    };
    let unknown = ask("app.nobody", "facts", None).await.unwrap_err();
    assert!(matches!(unknown, request::Refused::UnknownGroup(_)));
    let unread = ask("app.counter", "rumours", None).await.unwrap_err();
    assert!(matches!(unread, request::Refused::UnreadTopic { .. }));
    let nowhere = ask("app.counter", "facts", Some(99)).await.unwrap_err();
    assert!(matches!(
        nowhere,
        request::Refused::UnknownPartition { partition: 99, .. }
    ));
    let ranges = ask("app.counter", "facts", None).await.unwrap();
    let offsets: u64 = ranges.iter().map(|range| range.to - range.from).sum();
    assert_eq!((ranges.len(), offsets), (1, 3));
    publish(&broker, &[("key", 4)]).await;
    let calls = consumer.until_called(7).await;
    let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 1, 2, 3, 4]);
    consumer.stop().await;
}
