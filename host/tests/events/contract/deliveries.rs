//! What the trigger makes of any adapter: tries, dead letters, publications.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use praxis_host::capabilities::events::{Broker, Header, dead_letter_topic};
use praxis_host::manifest::OnExhausted;
use praxis_host::runtime::consumer::{Delivery, Event, Handler, Outcome, Publication};
use praxis_host::triggers::kafka::watch::Watch;
use praxis_host::triggers::kafka::{Group, Pace, Terms, run};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reader::{Mode, Reader, numbers, outgoing};
use crate::waiting::within;

pub const COUNTER: &str = "app.counter";
const ATTEMPTS_MAX: u32 = 4;

pub const TERMS: Terms = Terms {
    attempts_max: ATTEMPTS_MAX,
    in_flight_max: 4,
    on_exhausted: OnExhausted::DeadLetter,
    batch_events_max: 8,
};

/// Decides by the event's number and the attempt, and writes down what it was given.
struct Scripted<F> {
    script: F,
    handled: watch::Sender<Vec<Delivery>>,
}

#[async_trait]
impl<F: Fn(&Delivery) -> Outcome + Send + Sync> Handler for Scripted<F> {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        self.handled
            .send_modify(|handled| handled.push(delivery.clone()));
        (self.script)(delivery)
    }
}

/// A group at work.
pub struct Consumer {
    handled: watch::Receiver<Vec<Delivery>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Consumer {
    pub fn start(
        broker: &Arc<dyn Broker>,
        script: impl Fn(&Delivery) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self::start_as(COUNTER, broker, script)
    }

    /// As a group of its own.
    pub fn start_as(
        name: &str,
        broker: &Arc<dyn Broker>,
        script: impl Fn(&Delivery) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        let (sender, handled) = watch::channel(Vec::new());
        let handler = Scripted {
            script,
            handled: sender,
        };
        let (stop, task) = start_as(name, broker, Arc::new(handler));
        Self {
            handled,
            stop,
            task,
        }
    }

    /// With pauses of its own.
    pub fn start_at(
        pace: Pace,
        broker: &Arc<dyn Broker>,
        script: impl Fn(&Delivery) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(TERMS, pace, broker, script)
    }

    /// With terms and pauses of its own.
    pub fn start_with(
        terms: Terms,
        pace: Pace,
        broker: &Arc<dyn Broker>,
        script: impl Fn(&Delivery) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        let (sender, handled) = watch::channel(Vec::new());
        let handler = Scripted {
            script,
            handled: sender,
        };
        let group = Group {
            topics: BTreeMap::from([("facts".to_owned(), terms)]),
            pace,
            ..group(COUNTER)
        };
        let (stop, task) = start_group(group, broker, Arc::new(handler));
        Self {
            handled,
            stop,
            task,
        }
    }

    /// Waits until there were as many calls, and gives the numbers and attempts.
    pub async fn until_called(&mut self, count: usize) -> Vec<(u64, u32)> {
        let handled = self.handled.wait_for(|handled| handled.len() >= count);
        let handled = within(handled).await.unwrap().clone();
        calls(&handled)
    }

    /// Gives the numbers and attempts of all calls that there were.
    pub async fn stop(self) -> Vec<(u64, u32)> {
        self.stop.cancel();
        within(self.task).await.unwrap();
        calls(&self.handled.borrow())
    }
}

fn calls(handled: &[Delivery]) -> Vec<(u64, u32)> {
    let handled = handled.iter();
    handled
        .map(|delivery| (delivery.event.stream_version, delivery.attempt))
        .collect()
}

/// A group at work, with a handler of the caller's own.
pub fn start(
    broker: &Arc<dyn Broker>,
    handler: Arc<dyn Handler>,
) -> (CancellationToken, JoinHandle<()>) {
    start_as(COUNTER, broker, handler)
}

/// A group that reads facts, and is quick to try again.
pub fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        component: "counter".to_owned(),
        topics: BTreeMap::from([("facts".to_owned(), TERMS)]),
        pace: Pace {
            first_ms: 1,
            ms_max: 20,
        },
    }
}

fn start_as(
    name: &str,
    broker: &Arc<dyn Broker>,
    handler: Arc<dyn Handler>,
) -> (CancellationToken, JoinHandle<()>) {
    start_group(group(name), broker, handler)
}

fn start_group(
    group: Group,
    broker: &Arc<dyn Broker>,
    handler: Arc<dyn Handler>,
) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let watch = Watch::default();
    let task = tokio::spawn(run(broker.clone(), group, handler, watch, stop.clone()));
    (stop, task)
}

/// A header that means nothing to Praxis.
pub fn coloured() -> Header {
    Header {
        name: "colour".to_owned(),
        value: Some(b"blue".to_vec()),
    }
}

async fn publish(broker: &Arc<dyn Broker>, numbers: std::ops::Range<u64>) {
    let batch: Vec<_> = numbers.map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
}

pub async fn an_event_that_is_retried_holds_up_those_behind_it(broker: Arc<dyn Broker>) {
    publish(&broker, 0..5).await;
    let mut consumer = Consumer::start(&broker, |delivery| {
        if delivery.event.stream_version == 2 && delivery.attempt < 3 {
            return Outcome::Retry("not yet".to_owned());
        }
        Outcome::Done(Vec::new())
    });
    let calls = consumer.until_called(7).await;
    assert_eq!(
        calls,
        [(0, 1), (1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (4, 1)]
    );
    consumer.stop().await;
}

pub async fn a_rejected_event_lies_among_the_dead_letters(broker: Arc<dyn Broker>) {
    let mut sent: Vec<_> = (0..3).map(|n| outgoing("facts", "key", n)).collect();
    sent[1].record.others = vec![coloured()];
    broker.publish(&sent).await.unwrap();
    let mut consumer = Consumer::start(&broker, |delivery| match delivery.event.stream_version {
        1 => Outcome::Reject("no such number".to_owned()),
        _ => Outcome::Done(Vec::new()),
    });
    assert_eq!(consumer.until_called(3).await, [(0, 1), (1, 1), (2, 1)]);
    let topic = dead_letter_topic("facts");
    let mut reader = Reader::join(&broker, "operators", &[&topic], Mode::Complete).await;
    let letters = reader.until_read(1).await;
    let record = &letters[0].record;
    assert_eq!(record.id, sent[1].record.id);
    assert_eq!(record.event, sent[1].record.event);
    assert_eq!(record.source, sent[1].record.source);
    assert_eq!(record.time_ms, sent[1].record.time_ms);
    assert_eq!(record.others, [coloured()]);
    let dead = record.dead_letter.as_ref().unwrap();
    assert_eq!(dead.reason, "no such number");
    assert_eq!((dead.attempts, dead.offset), (1, 1));
    assert_eq!(
        (dead.component.as_str(), dead.topic.as_str()),
        ("counter", "facts")
    );
    reader.leave().await;
    consumer.stop().await;
    let lag = broker
        .lag("app.counter", &["facts".to_owned()])
        .await
        .unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 0);
}

pub async fn an_event_is_given_up_on_after_its_last_attempt(broker: Arc<dyn Broker>) {
    publish(&broker, 0..2).await;
    let mut consumer = Consumer::start(&broker, |delivery| match delivery.event.stream_version {
        0 => Outcome::Retry("never works".to_owned()),
        _ => Outcome::Done(Vec::new()),
    });
    let calls = consumer.until_called(5).await;
    assert_eq!(calls, [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1)]);
    let topic = dead_letter_topic("facts");
    let mut reader = Reader::join(&broker, "operators", &[&topic], Mode::Complete).await;
    let letters = reader.until_read(1).await;
    let dead = letters[0].record.dead_letter.as_ref().unwrap();
    assert_eq!(
        (dead.reason.as_str(), dead.attempts),
        ("never works", ATTEMPTS_MAX)
    );
    reader.leave().await;
    consumer.stop().await;
}

pub async fn what_a_handling_publishes_has_the_same_ids_each_time(broker: Arc<dyn Broker>) {
    publish(&broker, 0..3).await;
    let doubled = |delivery: &Delivery| {
        let event = |at: u64| Publication {
            topic: "rumours".to_owned(),
            event: Event {
                kind: "Doubled".to_owned(),
                stream_version: delivery.event.stream_version * 2 + at,
                ..delivery.event.clone()
            },
        };
        Outcome::Done(vec![event(0), event(1)])
    };
    let mut consumer = Consumer::start(&broker, doubled);
    consumer.until_called(3).await;
    let mut reader = Reader::join(&broker, "readers", &["rumours"], Mode::Complete).await;
    let seen = reader.until_read(6).await;
    assert_eq!(numbers(&seen, "key"), [0, 1, 2, 3, 4, 5]);
    let ids: HashSet<_> = seen.iter().map(|received| received.record.id).collect();
    assert_eq!(ids.len(), 6);
    assert!(
        seen.iter()
            .all(|received| received.record.source == "counter")
    );
    // The ids depend on the event's, the component's and the position alone.
    let cause = consumer.handled.borrow()[0].id.parse().unwrap();
    let Outcome::Done(publications) = doubled(&consumer.handled.borrow()[0]) else {
        unreachable!("it always succeeds")
    };
    let delivery = &consumer.handled.borrow()[0].clone();
    let again = praxis_host::triggers::kafka::release(delivery, cause, "counter", publications);
    let again: Vec<_> = again.iter().map(|outgoing| outgoing.record.id).collect();
    assert_eq!(again, [seen[0].record.id, seen[1].record.id]);
    reader.leave().await;
    consumer.stop().await;
}

pub async fn what_a_handling_publishes_goes_on_with_its_trace(broker: Arc<dyn Broker>) {
    const CAUSE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut sent = outgoing("facts", "key", 0);
    sent.record.traceparent = Some(CAUSE.to_owned());
    broker.publish(&[sent]).await.unwrap();
    let mut consumer = Consumer::start(&broker, |delivery| {
        // The handler is told it too, for what it saves.
        assert_eq!(delivery.traceparent.as_deref(), Some(CAUSE));
        let publication = || Publication {
            topic: "rumours".to_owned(),
            event: delivery.event.clone(),
        };
        Outcome::Done(vec![publication(), publication()])
    });
    assert_eq!(consumer.until_called(1).await, [(0, 1)]);
    let mut reader = Reader::join(&broker, "readers", &["rumours"], Mode::Complete).await;
    let seen = reader.until_read(2).await;
    let traces: Vec<_> = seen
        .iter()
        .map(|received| received.record.traceparent.clone().unwrap())
        .collect();
    // One trace, and a span for each event.
    assert!(
        traces.iter().all(|trace| trace[..35] == CAUSE[..35]),
        "{traces:?}"
    );
    let spans: HashSet<_> = traces.iter().map(|trace| &trace[36..52]).collect();
    assert_eq!(spans.len(), 2);
    assert!(!spans.contains(&CAUSE[36..52]));
    reader.leave().await;
    consumer.stop().await;
}

pub async fn a_panic_is_a_failed_attempt(broker: Arc<dyn Broker>) {
    publish(&broker, 0..3).await;
    let mut consumer = Consumer::start(&broker, |delivery| {
        let poisoned = delivery.event.stream_version == 1 && delivery.attempt == 1;
        assert!(!poisoned, "on purpose");
        Outcome::Done(Vec::new())
    });
    let calls = consumer.until_called(4).await;
    assert_eq!(calls, [(0, 1), (1, 1), (1, 2), (2, 1)]);
    consumer.stop().await;
}

/// Handles when it is let.
struct Gated {
    arrived: Notify,
    open: watch::Sender<bool>,
    finished: AtomicU64,
}

#[async_trait]
impl Handler for Gated {
    async fn handle(&self, _: &Delivery) -> Outcome {
        self.arrived.notify_one();
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
        self.finished.fetch_add(1, Ordering::Relaxed);
        Outcome::Done(Vec::new())
    }
}

pub async fn a_stop_waits_for_what_is_being_handled(broker: Arc<dyn Broker>) {
    publish(&broker, 0..3).await;
    let handler = Arc::new(Gated {
        arrived: Notify::new(),
        open: watch::Sender::new(false),
        finished: AtomicU64::new(0),
    });
    let (stop, task) = start(&broker, handler.clone());
    within(handler.arrived.notified()).await;
    stop.cancel();
    handler.open.send_replace(true);
    within(task).await.unwrap();
    // How many more it took before it saw the stop is open: all that it took is committed.
    let finished = handler.finished.load(Ordering::Relaxed);
    assert!(finished >= 1);
    let lag = broker
        .lag("app.counter", &["facts".to_owned()])
        .await
        .unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 3 - finished);
}
