//! What the trigger makes of any adapter: many events with one call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use praxis_host::capabilities::events::{Broker, dead_letter_topic};
use praxis_host::manifest::OnExhausted;
use praxis_host::runtime::consumer::{Delivery, Handler, Outcome};
use praxis_host::triggers::kafka::Terms;
use praxis_host::triggers::kafka::watch::State;
use tokio::sync::watch;

use super::keys::{GROUP, Member, TERMS, lag, neighbours, publish};
use crate::waiting::{eventually, within};

/// A delivery by its key, its number and its attempt.
type Given = (String, u64, u32);

/// Answers by a script, once it is let, and writes down what each call was given.
struct Batches<F> {
    script: F,
    open: watch::Sender<bool>,
    calls: watch::Sender<Vec<Vec<Given>>>,
}

impl<F: Fn(&[Given]) -> Vec<Outcome> + Send + Sync> Batches<F> {
    fn new(script: F) -> Arc<Self> {
        Arc::new(Self {
            script,
            open: watch::Sender::new(false),
            calls: watch::Sender::default(),
        })
    }

    async fn until_given(&self, events: usize) -> Vec<Vec<Given>> {
        let mut calls = self.calls.subscribe();
        let enough = |calls: &Vec<Vec<Given>>| calls.iter().map(Vec::len).sum::<usize>() >= events;
        within(calls.wait_for(enough)).await.unwrap().clone()
    }
}

#[async_trait]
impl<F: Fn(&[Given]) -> Vec<Outcome> + Send + Sync> Handler for Batches<F> {
    async fn handle(&self, _: &Delivery) -> Outcome {
        unreachable!("it takes batches")
    }

    fn takes_batches(&self) -> bool {
        true
    }

    async fn handle_batch(&self, deliveries: &[&Delivery]) -> Vec<Outcome> {
        let given = |delivery: &&Delivery| {
            let event = &delivery.event;
            (event.key.clone(), event.stream_version, delivery.attempt)
        };
        let given: Vec<Given> = deliveries.iter().map(given).collect();
        self.calls.send_modify(|calls| calls.push(given.clone()));
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
        (self.script)(&given)
    }
}

fn done(given: &[Given]) -> Vec<Outcome> {
    given.iter().map(|_| Outcome::Done(Vec::new())).collect()
}

fn of(calls: &[Vec<Given>], key: &str) -> Vec<(u64, u32)> {
    let all = calls.iter().flatten().filter(|(other, ..)| other == key);
    all.map(|(_, number, attempt)| (*number, *attempt))
        .collect()
}

pub async fn a_batch_holds_what_is_ready_in_order(broker: Arc<dyn Broker>) {
    let keys = neighbours(3);
    publish(&broker, &keys, 0..10).await;
    let handler = Batches::new(done);
    let member = Member::start(&broker, handler.clone(), TERMS);
    handler.until_given(1).await;
    // Nothing runs beside a batch; what is read meanwhile is in the next ones.
    let held = || {
        member
            .watch
            .views()
            .iter()
            .map(|view| view.held)
            .sum::<usize>()
    };
    eventually(async || held() == 30).await;
    assert_eq!(handler.calls.borrow().len(), 1);
    handler.open.send_replace(true);
    let calls = handler.until_given(30).await;
    let sizes: Vec<_> = calls.iter().map(Vec::len).collect();
    assert!(sizes.contains(&TERMS.batch_events_max), "{sizes:?}");
    assert!(
        sizes.iter().all(|size| *size <= TERMS.batch_events_max),
        "{sizes:?}"
    );
    for key in &keys {
        let once: Vec<_> = (0..10).map(|number| (number, 1)).collect();
        assert_eq!(of(&calls, key), once);
    }
    member.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

pub async fn one_that_fails_in_a_batch_holds_back_its_key_alone(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    let (ill, well) = (keys[0].clone(), &keys[1]);
    publish(&broker, &keys, 0..4).await;
    let failing = ill.clone();
    let handler = Batches::new(move |given| {
        let outcome = |(key, number, attempt): &Given| match (key == &failing, number, attempt) {
            (true, 1, 1) => Outcome::Retry("not yet".to_owned()),
            _ => Outcome::Done(Vec::new()),
        };
        given.iter().map(outcome).collect()
    });
    handler.open.send_replace(true);
    let terms = Terms {
        batch_events_max: 64,
        ..TERMS
    };
    let member = Member::start(&broker, handler.clone(), terms);
    let mut calls = handler.calls.subscribe();
    let last = |calls: &Vec<Vec<Given>>| {
        let given = of(calls, &ill);
        let again = given.iter().position(|given| *given == (1, 2));
        again.is_some_and(|again| given[again..].iter().any(|(number, _)| *number == 3))
    };
    let calls = within(calls.wait_for(last)).await.unwrap().clone();
    let given = of(&calls, &ill);
    let again = given.iter().position(|given| *given == (1, 2)).unwrap();
    let numbers: Vec<_> = given[again..].iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        [1, 2, 3],
        "those behind it come again, in order: {given:?}"
    );
    assert_eq!(given.iter().filter(|(number, _)| *number == 0).count(), 1);
    member.stop().await;
    let calls = handler.calls.borrow().clone();
    assert_eq!(of(&calls, well), [(0, 1), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(lag(&broker).await, 0);
}

pub async fn one_that_breaks_its_batch_is_found_and_given_up_on(broker: Arc<dyn Broker>) {
    let keys = neighbours(3);
    let poison = keys[1].clone();
    publish(&broker, &keys, 0..3).await;
    let handler = Batches::new(move |given| {
        let broken = given
            .iter()
            .any(|(key, number, _)| *key == poison && *number == 1);
        match broken {
            true => vec![Outcome::Fault("trapped".to_owned()); given.len()],
            false => done(given),
        }
    });
    handler.open.send_replace(true);
    let member = Member::start(&broker, handler.clone(), TERMS);
    let letters = [dead_letter_topic("facts")];
    let dead = async || broker.lag(GROUP, &letters).await.unwrap()[0].end;
    eventually(async || dead().await == 1).await;
    eventually(async || lag(&broker).await == 0).await;
    member.stop().await;
    assert_eq!(
        dead().await,
        1,
        "the others of its batches were not to blame"
    );
}

pub async fn those_tried_alone_keep_the_order_of_their_key(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    let (slow, poison) = (keys[0].clone(), keys[1].clone());
    publish(&broker, &keys, 0..4).await;
    let effects = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&effects);
    let handler = Batches::new(move |given| {
        if given
            .iter()
            .any(|(key, number, _)| *key == poison && *number == 3)
        {
            return vec![Outcome::Fault("trapped".to_owned()); given.len()];
        }
        let mut waits = false;
        let outcome = |(key, number, attempt): &Given| {
            // As a component would: behind one that has to come again, none of its key has an effect.
            waits |= *key == slow && *number == 1 && *attempt == 1;
            if *key != slow {
                return Outcome::Done(Vec::new());
            }
            if waits {
                return Outcome::Retry("not yet".to_owned());
            }
            seen.lock().unwrap().push(*number);
            Outcome::Done(Vec::new())
        };
        given.iter().map(outcome).collect()
    });
    handler.open.send_replace(true);
    let terms = Terms {
        batch_events_max: 64,
        ..TERMS
    };
    let member = Member::start(&broker, handler.clone(), terms);
    eventually(async || lag(&broker).await == 0).await;
    member.stop().await;
    let effects = effects.lock().unwrap().clone();
    assert!(effects.is_sorted(), "{effects:?}");
    assert_eq!(effects.last(), Some(&3));
}

/// Alone as well as together with others of its key.
pub async fn one_that_is_rejected_in_a_batch_is_held_where_none_may_be_left_out(
    broker: Arc<dyn Broker>,
) {
    let keys = neighbours(2);
    let (ill, well) = (keys[0].clone(), keys[1].clone());
    publish(&broker, &keys, 0..4).await;
    let poison = well.clone();
    let is_poisoned = Arc::new(AtomicBool::new(true));
    let poisoned = Arc::clone(&is_poisoned);
    let failing = ill.clone();
    let handler = Batches::new(move |given| {
        let is_last = |(key, number, _): &Given| *key == poison && *number == 3;
        if poisoned.load(Ordering::SeqCst) && given.iter().any(is_last) {
            return vec![Outcome::Fault("trapped".to_owned()); given.len()];
        }
        let outcome = |(key, number, _): &Given| match *key == failing && *number == 1 {
            true => Outcome::Reject("never".to_owned()),
            false => Outcome::Done(Vec::new()),
        };
        given.iter().map(outcome).collect()
    });
    handler.open.send_replace(true);
    let terms = Terms {
        batch_events_max: 64,
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let member = Member::start(&broker, handler.clone(), terms);
    let failing = |key: &str| {
        let views = member.watch.views().into_iter();
        let mut failing = views.flat_map(|view| view.failing);
        failing.find(|failing| failing.key == key)
    };
    let is_parked = |key: &str| failing(key).is_some_and(|it| it.state == State::Parked);
    eventually(async || is_parked(&ill) && is_parked(&well)).await;
    // The first of each were done one by one, and what stands behind those that were not was not.
    eventually(async || lag(&broker).await == 4).await;
    is_poisoned.store(false, Ordering::SeqCst);
    eventually(async || lag(&broker).await == 3).await;

    let shown = failing(&ill).unwrap();
    let skipped = member.watch.skip(GROUP, "facts", 0, shown.offset);
    assert_eq!(skipped, Ok(()));
    eventually(async || lag(&broker).await == 0).await;
    member.stop().await;
    let letters = broker.read("facts.dlq", 0, 0, 10).await.unwrap();
    let reasons: Vec<_> = letters
        .iter()
        .map(|letter| letter.record.dead_letter.as_ref().unwrap().reason.as_str())
        .collect();
    assert_eq!(reasons, ["an operator skipped it; never"]);
    let calls = handler.calls.borrow().clone();
    assert_eq!(of(&calls, &ill).last().unwrap().0, 3);
}
