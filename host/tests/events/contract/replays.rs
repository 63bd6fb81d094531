//! What the trigger makes of any adapter: events that are handled again, and those for one group.

use std::collections::BTreeSet;
use std::sync::Arc;

use praxis_host::capabilities::events::{Broker, Outgoing, Record, Replay};
use praxis_host::clock;
use praxis_host::manifest::OnExhausted;
use praxis_host::triggers::kafka::Terms;

use super::keys::{Doors, GROUP, Member, TERMS, lag, neighbours, publish};
use super::reader::outgoing;
use crate::waiting::eventually;

const OTHER: &str = "app.other";

/// Asks the group to read the partition of the neighbours again.
async fn ask(broker: &Arc<dyn Broker>, group: &str, from: u64) {
    let replay = Replay {
        group: group.to_owned(),
        from,
    };
    let asked = Outgoing {
        topic: "facts".to_owned(),
        partition: Some(0),
        record: Record::replay(clock::id(), "tests".to_owned(), 0, replay),
    };
    broker.publish(&[asked]).await.unwrap();
}

pub async fn a_replay_hands_one_group_again_what_lies_before_it(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    publish(&broker, &keys, 0..5).await;
    ask(&broker, GROUP, 4).await;
    publish(&broker, &keys, 5..6).await;
    let (doors, others) = (Doors::new(&[], &[]), Doors::new(&[], &[]));
    let member = Member::start(&broker, doors.clone(), TERMS);
    let other = Member::of(OTHER, &broker, others.clone(), TERMS);
    for key in &keys {
        doors.until_done(key, 9).await;
        assert_eq!(doors.done(key), [0, 1, 2, 3, 4, 2, 3, 4, 5]);
        others.until_done(key, 6).await;
        assert_eq!(others.done(key), [0, 1, 2, 3, 4, 5]);
    }
    member.stop().await;
    other.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

/// More than one answer of the broker holds, and more than a partition holds at one time.
pub async fn a_long_replay_is_complete_and_in_order(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    publish(&broker, &keys, 0..700).await;
    ask(&broker, GROUP, 0).await;
    // A replay of the first one would read the same again.
    ask(&broker, GROUP, 1_400).await;
    let doors = Doors::new(&[&keys[0]], &[]);
    let member = Member::start(&broker, doors.clone(), TERMS);
    doors.until_done(&keys[1], 700).await;
    doors.shut.send_replace(BTreeSet::new());
    let twice: Vec<_> = (0..700).chain(0..700).collect();
    for key in &keys {
        doors.until_done(key, 1_400).await;
        assert_eq!(doors.done(key), twice);
    }
    eventually(async || lag(&broker).await == 0).await;
    member.stop().await;
}

pub async fn a_replay_does_not_wait_for_a_parked_key_nor_overtake_it(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    let (ill, well) = (&keys[0], &keys[1]);
    publish(&broker, &keys, 0..3).await;
    ask(&broker, GROUP, 0).await;
    publish(&broker, &keys, 3..4).await;
    let doors = Doors::new(&[], &[ill]);
    let terms = Terms {
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let member = Member::start(&broker, doors.clone(), terms);
    doors.until_done(well, 7).await;
    assert_eq!(doors.done(well), [0, 1, 2, 0, 1, 2, 3]);
    // Three of the ill one's, the replay, and what came then: before the replay ends nobody can say
    // that it is done.
    eventually(async || lag(&broker).await == 6).await;
    doors.broken.send_replace(BTreeSet::new());
    doors.until_done(ill, 7).await;
    assert_eq!(doors.done(ill), [0, 1, 2, 0, 1, 2, 3]);
    member.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

pub async fn an_event_for_one_group_is_skipped_by_others(broker: Arc<dyn Broker>) {
    let keys = neighbours(1);
    let key = &keys[0];
    let mut redriven = outgoing("facts", key, 1);
    redriven.record.only_for = Some(OTHER.to_owned());
    let batch = [
        outgoing("facts", key, 0),
        redriven,
        outgoing("facts", key, 2),
    ];
    broker.publish(&batch).await.unwrap();
    let (doors, others) = (Doors::new(&[], &[]), Doors::new(&[], &[]));
    let member = Member::start(&broker, doors.clone(), TERMS);
    let other = Member::of(OTHER, &broker, others.clone(), TERMS);
    others.until_done(key, 3).await;
    doors.until_done(key, 2).await;
    assert_eq!(others.done(key), [0, 1, 2]);
    assert_eq!(doors.done(key), [0, 2]);
    // The last of a partition may be for others, too.
    let mut last = outgoing("facts", key, 3);
    last.record.only_for = Some(OTHER.to_owned());
    broker.publish(&[last]).await.unwrap();
    eventually(async || lag(&broker).await == 0).await;
    assert_eq!(doors.done(key), [0, 2]);
    member.stop().await;
    other.stop().await;
}
