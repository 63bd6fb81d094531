//! What the trigger makes of any adapter: what a member knows, the next one knows too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use praxis_host::capabilities::events::{Broker, Outgoing, Record, Replay};
use praxis_host::clock;
use praxis_host::manifest::OnExhausted;
use praxis_host::runtime::consumer::Outcome;
use praxis_host::triggers::kafka::{Pace, Terms};

use super::deliveries::Consumer;
use super::keys::{Doors, GROUP, Member, TERMS, lag, neighbours, publish};
use crate::waiting::eventually;

/// What failed is not tried again before the test is over.
const LONG: Pace = Pace {
    first_ms: 600_000,
    ms_max: 600_000,
};

/// Not only when a member ends in order: its host may be killed at any time.
pub async fn what_is_done_behind_a_parked_key_is_noted_at_once(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    publish(&broker, &keys, 0..5).await;
    let doors = Doors::new(&[], &[&keys[0]]);
    let terms = Terms {
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let member = Member::start(&broker, doors.clone(), terms);
    doors.until_done(&keys[1], 5).await;
    eventually(async || lag(&broker).await == 5).await;
    member.stop().await;
    assert_eq!(lag(&broker).await, 5, "the parked key's are not done");
}

pub async fn tries_are_counted_on_by_the_next_member(broker: Arc<dyn Broker>) {
    publish(&broker, &neighbours(1), 0..1).await;
    for attempt in 1..4 {
        let fails = |_: &_| Outcome::Retry("not yet".to_owned());
        let mut consumer = Consumer::start_at(LONG, &broker, fails);
        assert_eq!(consumer.until_called(1).await, [(0, attempt)]);
        consumer.stop().await;
    }
}

/// What traps is given up on after twelve times, however many members it was that it trapped.
pub async fn traps_are_counted_on_by_the_next_member(broker: Arc<dyn Broker>) {
    /// Short at first; before the twelfth try seconds go by.
    const GROWING: Pace = Pace {
        first_ms: 1,
        ms_max: 60_000,
    };
    let terms = Terms {
        attempts_max: 1_000,
        ..TERMS
    };
    publish(&broker, &neighbours(1), 0..1).await;
    let traps = |_: &_| Outcome::Fault("it trapped".to_owned());
    let mut consumer = Consumer::start_with(terms, GROWING, &broker, traps);
    consumer.until_called(6).await;
    let mut calls = consumer.stop().await;
    assert_eq!(lag(&broker).await, 1);
    let consumer = Consumer::start_with(terms, GROWING, &broker, traps);
    eventually(async || lag(&broker).await == 0).await;
    calls.extend(consumer.stop().await);
    let attempts: Vec<_> = calls.iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(attempts, (1..=12).collect::<Vec<_>>());
    let letters = broker.read("facts.dlq", 0, 0, 10).await.unwrap();
    let dead = letters[0].record.dead_letter.as_ref().unwrap();
    assert_eq!((letters.len(), dead.attempts), (1, 12));
}

pub async fn a_replay_goes_on_where_it_was(broker: Arc<dyn Broker>) {
    let key = neighbours(1);
    publish(&broker, &key, 0..100).await;
    let replay = Replay {
        group: GROUP.to_owned(),
        from: 0,
    };
    let asked = Outgoing {
        topic: "facts".to_owned(),
        partition: Some(0),
        record: Record::replay(clock::id(), "tests".to_owned(), 0, replay),
    };
    broker.publish(&[asked]).await.unwrap();
    publish(&broker, &key, 100..101).await;
    let calls = Arc::new(AtomicU64::new(0));
    let mut consumer = Consumer::start_at(LONG, &broker, move |_| {
        match calls.fetch_add(1, Ordering::Relaxed) {
            // Of the second time, the sixtieth.
            160 => Outcome::Retry("not yet".to_owned()),
            _ => Outcome::Done(Vec::new()),
        }
    });
    consumer.until_called(161).await;
    consumer.stop().await;
    let mut consumer = Consumer::start_at(LONG, &broker, |_| Outcome::Done(Vec::new()));
    let calls = consumer.until_called(41).await;
    let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (60..101).collect::<Vec<_>>());
    eventually(async || lag(&broker).await == 0).await;
    consumer.stop().await;
}
