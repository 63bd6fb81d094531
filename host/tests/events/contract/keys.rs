//! What the trigger makes of any adapter: keys of one partition get on, or not, by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use praxis_host::capabilities::events::{Broker, dead_letter_topic, partitioner};
use praxis_host::manifest::OnExhausted;
use praxis_host::runtime::consumer::{Delivery, Handler, Outcome};
use praxis_host::triggers::kafka::watch::{State, Watch};
use praxis_host::triggers::kafka::{Group, Pace, Terms, run};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reader::outgoing;
use super::suite::PARTITIONS;
use crate::waiting::{eventually, within};

pub const GROUP: &str = "app.counter";

pub const TERMS: Terms = Terms {
    attempts_max: 3,
    in_flight_max: 3,
    on_exhausted: OnExhausted::DeadLetter,
    batch_events_max: 8,
};

/// What was seen of a key's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Begun(u64),
    Failed(u64),
    Done(u64),
}

type Steps = BTreeMap<String, Vec<Step>>;

/// Handles what it is let to, and writes down what happens, key by key.
#[derive(Default)]
pub struct Doors {
    /// Keys whose events wait while they are being handled.
    pub shut: watch::Sender<BTreeSet<String>>,
    /// Keys whose events fail.
    pub broken: watch::Sender<BTreeSet<String>>,
    steps: watch::Sender<Steps>,
}

impl Doors {
    pub fn new(shut: &[&String], broken: &[&String]) -> Arc<Self> {
        let keys = |keys: &[&String]| keys.iter().map(|key| (*key).clone()).collect();
        Arc::new(Self {
            shut: watch::Sender::new(keys(shut)),
            broken: watch::Sender::new(keys(broken)),
            steps: watch::Sender::default(),
        })
    }

    fn note(&self, key: &str, step: Step) {
        self.steps.send_modify(|steps| {
            steps.entry(key.to_owned()).or_default().push(step);
        });
    }

    pub fn of(&self, key: &str) -> Vec<Step> {
        of(&self.steps.borrow(), key).to_vec()
    }

    pub fn done(&self, key: &str) -> Vec<u64> {
        done(&self.steps.borrow(), key).collect()
    }

    pub async fn until_done(&self, key: &str, count: usize) {
        let mut steps = self.steps.subscribe();
        let enough = |steps: &Steps| done(steps, key).count() >= count;
        within(steps.wait_for(enough)).await.unwrap();
    }

    pub async fn until_seen(&self, key: &str, step: Step) {
        let mut steps = self.steps.subscribe();
        let seen = |steps: &Steps| of(steps, key).contains(&step);
        within(steps.wait_for(seen)).await.unwrap();
    }
}

fn of<'a>(steps: &'a Steps, key: &str) -> &'a [Step] {
    steps.get(key).map_or(&[], Vec::as_slice)
}

fn done<'a>(steps: &'a Steps, key: &str) -> impl Iterator<Item = u64> + use<'a> {
    of(steps, key).iter().filter_map(|step| match step {
        Step::Done(number) => Some(*number),
        Step::Begun(_) | Step::Failed(_) => None,
    })
}

#[async_trait]
impl Handler for Doors {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let (key, number) = (&delivery.event.key, delivery.event.stream_version);
        self.note(key, Step::Begun(number));
        let mut shut = self.shut.subscribe();
        shut.wait_for(|shut| !shut.contains(key)).await.unwrap();
        if self.broken.borrow().contains(key) {
            self.note(key, Step::Failed(number));
            return Outcome::Retry("the door is broken".to_owned());
        }
        self.note(key, Step::Done(number));
        Outcome::Done(Vec::new())
    }
}

/// A host's part of the group.
pub struct Member {
    pub watch: Watch,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Member {
    pub fn start(broker: &Arc<dyn Broker>, handler: Arc<dyn Handler>, terms: Terms) -> Self {
        Self::of(GROUP, broker, handler, terms)
    }

    pub fn of(
        group: &str,
        broker: &Arc<dyn Broker>,
        handler: Arc<dyn Handler>,
        terms: Terms,
    ) -> Self {
        let group = Group {
            name: group.to_owned(),
            component: "counter".to_owned(),
            topics: BTreeMap::from([("facts".to_owned(), terms)]),
            pace: Pace {
                first_ms: 1,
                ms_max: 20,
            },
        };
        let watch = Watch::default();
        let stop = CancellationToken::new();
        let running = run(broker.clone(), group, handler, watch.clone(), stop.clone());
        Self {
            watch,
            stop,
            task: tokio::spawn(running),
        }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
        assert_eq!(self.watch.views(), [], "what is not read is not shown");
    }
}

/// Keys that fall into one partition.
pub fn neighbours(count: usize) -> Vec<String> {
    (0..)
        .map(|n| format!("key-{n}"))
        .filter(|key| partitioner::partition(key.as_bytes(), PARTITIONS) == 0)
        .take(count)
        .collect()
}

/// The keys' events in turns, `rounds` of each.
pub async fn publish(broker: &Arc<dyn Broker>, keys: &[String], rounds: std::ops::Range<u64>) {
    let batch: Vec<_> = rounds
        .flat_map(|round| keys.iter().map(move |key| outgoing("facts", key, round)))
        .collect();
    broker.publish(&batch).await.unwrap();
}

pub async fn lag(broker: &Arc<dyn Broker>) -> u64 {
    let lag = broker.lag(GROUP, &["facts".to_owned()]).await.unwrap();
    lag.iter().map(|lag| lag.lag).sum()
}

pub async fn a_slow_key_holds_up_no_other(broker: Arc<dyn Broker>) {
    let keys = neighbours(3);
    let slow = &keys[0];
    publish(&broker, &keys, 0..10).await;
    let doors = Doors::new(&[slow], &[]);
    let member = Member::start(&broker, doors.clone(), TERMS);
    for key in &keys[1..] {
        doors.until_done(key, 10).await;
        assert_eq!(doors.done(key), (0..10).collect::<Vec<_>>());
    }
    assert_eq!(doors.of(slow), [Step::Begun(0)], "one at a time");
    eventually(async || member.watch.views().iter().any(|view| view.held == 10)).await;
    eventually(async || lag(&broker).await == 10).await;
    doors.shut.send_replace(BTreeSet::new());
    doors.until_done(slow, 10).await;
    let pairs: Vec<_> = (0..10)
        .flat_map(|n| [Step::Begun(n), Step::Done(n)])
        .collect();
    assert_eq!(doors.of(slow), pairs);
    member.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

pub async fn slow_keys_take_up_no_more_than_their_places(broker: Arc<dyn Broker>) {
    let keys = neighbours(5);
    publish(&broker, &keys, 0..2).await;
    let doors = Doors::new(&keys.iter().collect::<Vec<_>>(), &[]);
    let member = Member::start(&broker, doors.clone(), TERMS);
    let begun = || keys.iter().filter(|key| !doors.of(key).is_empty()).count();
    eventually(async || begun() >= TERMS.in_flight_max).await;
    eventually(async || member.watch.views().iter().any(|view| view.held == 10)).await;
    assert_eq!(begun(), TERMS.in_flight_max);
    let in_flight: usize = member.watch.views().iter().map(|view| view.in_flight).sum();
    assert_eq!(in_flight, TERMS.in_flight_max);
    doors.shut.send_replace(BTreeSet::new());
    for key in &keys {
        doors.until_done(key, 2).await;
    }
    member.stop().await;
}

pub async fn a_key_that_is_parked_is_held_until_it_works(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    let (ill, well) = (&keys[0], &keys[1]);
    publish(&broker, &keys, 0..5).await;
    let doors = Doors::new(&[], &[ill]);
    let terms = Terms {
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let member = Member::start(&broker, doors.clone(), terms);
    doors.until_done(well, 5).await;
    let parked = || {
        let views = member.watch.views().into_iter();
        let mut failing = views.flat_map(|view| view.failing);
        failing.find(|failing| failing.state == State::Parked)
    };
    // Tried on and on.
    eventually(async || parked().is_some_and(|parked| parked.attempts > 6)).await;
    let shown = parked().unwrap();
    assert_eq!(
        (&shown.key, shown.reason.as_str()),
        (ill, "the door is broken")
    );
    assert_eq!(shown.offset, 0);
    assert!(
        doors
            .of(ill)
            .iter()
            .all(|step| matches!(step, Step::Begun(0) | Step::Failed(0)))
    );

    doors.broken.send_replace(BTreeSet::new());
    doors.until_done(ill, 5).await;
    assert_eq!(doors.done(ill), (0..5).collect::<Vec<_>>());
    assert_eq!(parked(), None);
    member.stop().await;
    assert_eq!(lag(&broker).await, 0);
    let letters = dead_letter_topic("facts");
    let letters = broker.lag(GROUP, &[letters]).await.unwrap();
    assert_eq!(letters.iter().map(|lag| lag.end).sum::<u64>(), 0);
}

pub async fn what_was_not_done_before_a_stop_is_done_after_it(broker: Arc<dyn Broker>) {
    let keys = neighbours(2);
    let (ill, well) = (&keys[0], &keys[1]);
    publish(&broker, &keys, 0..5).await;
    let doors = Doors::new(&[], &[ill]);
    let terms = Terms {
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let member = Member::start(&broker, doors.clone(), terms);
    doors.until_done(well, 5).await;
    doors.until_seen(ill, Step::Failed(0)).await;
    member.stop().await;
    assert_eq!(lag(&broker).await, 5, "the first one's key is not done");

    publish(&broker, &keys, 5..6).await;
    doors.broken.send_replace(BTreeSet::new());
    let member = Member::start(&broker, doors.clone(), TERMS);
    doors.until_done(ill, 6).await;
    doors.until_done(well, 6).await;
    // What lay behind the one that was not done, and was done, did not come again.
    for key in &keys {
        assert_eq!(doors.done(key), (0..6).collect::<Vec<_>>());
    }
    member.stop().await;
    assert_eq!(lag(&broker).await, 0);
}

/// `second` is the same broker, as another host meets it.
pub async fn a_partition_goes_on_at_its_next_member(
    first: Arc<dyn Broker>,
    second: Arc<dyn Broker>,
) {
    let keys: Vec<_> = (0..30).map(|n| format!("key-{n}")).collect();
    publish(&first, &keys, 0..2).await;
    let doors = Doors::new(&keys.iter().collect::<Vec<_>>(), &[]);
    let one = Member::start(&first, doors.clone(), TERMS);
    let held = |member: &Member| -> usize { member.watch.views().iter().map(|v| v.held).sum() };
    eventually(async || held(&one) == 60).await;
    // Events of every partition are being handled while some partitions go to another member.
    let other = Member::start(&second, doors.clone(), TERMS);
    publish(&first, &keys, 2..4).await;
    let half = PARTITIONS as usize / 2;
    doors.shut.send_replace(BTreeSet::new());
    eventually(async || other.watch.views().len() == half).await;
    for key in &keys {
        eventually(async || doors.done(key).contains(&3)).await;
        // In order, and a redelivery begins again without leaving anything out.
        let done = doors.done(key);
        assert!(
            done[0] == 0 && done.windows(2).all(|two| two[1] <= two[0] + 1),
            "{done:?}"
        );
        let overlap = doors
            .of(key)
            .windows(2)
            .any(|two| matches!(two, [Step::Begun(_), Step::Begun(_)]));
        assert!(!overlap, "two at once: {:?}", doors.of(key));
    }
    // What comes again, to a member that is slow to hear of it, may still be handled.
    eventually(async || lag(&first).await == 0).await;
    one.stop().await;
    other.stop().await;
    assert_eq!(lag(&first).await, 0);
}
