//! What operators see of a group, and have it do: over HTTP, and by the command line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use praxis_host::capabilities::events::Broker;
use praxis_host::clock;
use praxis_host::manifest::OnExhausted;
use praxis_host::runtime::consumer::{Delivery, Handler, Outcome};
use praxis_host::triggers::kafka::{Group, Terms, lag};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::deliveries::{COUNTER, TERMS, group};
use super::office::Office;
use super::reader::outgoing;
use crate::waiting::{eventually, within};

async fn publish(broker: &Arc<dyn Broker>, numbers: std::ops::Range<u64>) {
    let batch: Vec<_> = numbers.map(|n| outgoing("facts", "key", n)).collect();
    broker.publish(&batch).await.unwrap();
}

/// A group whose counts are its own, whatever other tests do at the same time.
fn group_of_its_own() -> Group {
    group(&format!("app.counter-{}", clock::id().simple()))
}

/// How long the slow one of [`Moody`] takes at least.
const SLOW: Duration = Duration::from_millis(60);

/// Handles in every way there is, and the last one once it is let.
struct Moody {
    is_open: watch::Sender<bool>,
}

#[async_trait]
impl Handler for Moody {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        match (delivery.event.stream_version, delivery.attempt) {
            (1, 1 | 2) => Outcome::Retry("not yet".to_owned()),
            (2, 1) => Outcome::Fault("it trapped".to_owned()),
            (3, _) => Outcome::Reject("no such number".to_owned()),
            (4, _) => {
                tokio::time::sleep(SLOW).await;
                Outcome::Done(Vec::new())
            }
            (5, _) => {
                let mut is_open = self.is_open.subscribe();
                is_open.wait_for(|is_open| *is_open).await.unwrap();
                Outcome::Done(Vec::new())
            }
            _ => Outcome::Done(Vec::new()),
        }
    }
}

pub async fn what_a_group_does_is_seen(broker: Arc<dyn Broker>) {
    publish(&broker, 0..6).await;
    let group = group_of_its_own();
    let name = group.name.clone();
    let handler = Arc::new(Moody {
        is_open: watch::Sender::new(false),
    });
    let office = Office::open(&broker, group.clone(), handler.clone()).await;
    let partition = office
        .until(|partition| partition["lag"] == 1 && partition["here"]["in_flight"] == 1)
        .await;
    assert_eq!(partition["group"], *name);
    assert_eq!(partition["topic"], "facts");
    assert!(partition["behind_ms"].as_u64().unwrap() > 0, "{partition}");
    let here = &partition["here"];
    // Two retries were asked for, and one trap was tried again.
    assert_eq!(
        (&here["retries"], &here["dead_letters"]),
        (&3.into(), &1.into())
    );
    // Five events and three tries more: the last one's time is not known yet.
    let times = &here["handler"];
    assert_eq!(times["tries"], 8);
    let us = |name: &str| u128::from(times[name].as_u64().unwrap());
    assert!(us("p50_us") < SLOW.as_micros(), "{times}");
    assert!(us("p99_us") >= SLOW.as_micros(), "{times}");
    assert!(us("max_us") >= us("p99_us"), "{times}");

    // The same, for who collects metrics.
    let stop = CancellationToken::new();
    let measuring = tokio::spawn(lag::measure(Arc::clone(&broker), vec![group], stop.clone()));
    let of = |labels: &[(&'static str, &'static str)]| {
        let own = [("group", name.as_str()), ("topic", "facts")];
        let mut all: Vec<(&str, &str)> = own.to_vec();
        all.extend(labels);
        all
    };
    let sum = async |metric: &str| office.metrics().await.sum(metric, &of(&[]));
    eventually(async || sum("event_lag").await == 1.0).await;
    assert!(sum("event_lag_seconds").await > 0.0);
    assert_eq!(sum("event_in_flight").await, 1.0);
    assert_eq!(sum("event_retries_total").await, 3.0);
    assert_eq!(sum("event_dead_letters_total").await, 1.0);
    let metrics = office.metrics().await;
    for (outcome, tries) in [
        ("done", 4.0),
        ("retry", 2.0),
        ("fault", 1.0),
        ("reject", 1.0),
    ] {
        let labels = of(&[("outcome", outcome)]);
        assert_eq!(
            metrics.sum("event_handled_total", &labels),
            tries,
            "{outcome}"
        );
        let count = metrics.sum("event_handler_seconds_count", &labels);
        assert_eq!(count, tries, "{outcome}");
    }
    let seconds = metrics.sum("event_handler_seconds_sum", &of(&[]));
    assert!(seconds >= SLOW.as_secs_f64(), "{seconds}");
    let of_the_partition = format!("{}", partition["partition"]);
    let labels = [("group", name.as_str()), ("partition", &of_the_partition)];
    assert_eq!(metrics.sum("event_retries_total", &labels), 3.0);

    handler.is_open.send_replace(true);
    let partition = office.until(|partition| partition["lag"] == 0).await;
    assert_eq!(partition["behind_ms"], 0);
    assert_eq!(partition["here"]["in_flight"], 0);
    assert_eq!(partition["here"]["handler"]["tries"], 9);
    assert_eq!(sum("event_in_flight").await, 0.0);
    stop.cancel();
    measuring.await.unwrap();
    office.close().await;
}

/// Rejects odd numbers until it is mended.
#[derive(Default)]
struct Picky {
    is_mended: AtomicBool,
    /// The numbers that were handled, or rejected.
    seen: watch::Sender<Vec<u64>>,
}

impl Picky {
    /// Waits until there were as many calls, and gives their numbers.
    async fn until_called(&self, count: usize) -> Vec<u64> {
        let mut seen = self.seen.subscribe();
        let seen = within(seen.wait_for(|seen| seen.len() >= count)).await;
        seen.unwrap().clone()
    }
}

#[async_trait]
impl Handler for Picky {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let number = delivery.event.stream_version;
        self.seen.send_modify(|seen| seen.push(number));
        if number % 2 == 1 && !self.is_mended.load(Ordering::SeqCst) {
            return Outcome::Reject("it is odd".to_owned());
        }
        Outcome::Done(Vec::new())
    }
}

/// What `praxis dead-letters list` prints.
async fn listed(office: &Office, topic: &str) -> Vec<String> {
    let list = office
        .praxis(&["dead-letters", "list", "--topic", topic])
        .await;
    list.lines().map(str::to_owned).collect()
}

pub async fn dead_letters_are_seen_to_by_the_command_line(broker: Arc<dyn Broker>) {
    let events = [("key", 1), ("key", 2), ("key", 3), ("key", 5), ("other", 9)];
    let batch = events.map(|(key, number)| outgoing("facts", key, number));
    broker.publish(&batch).await.unwrap();
    let handler = Arc::new(Picky::default());
    let office = Office::open(&broker, group(COUNTER), handler.clone()).await;
    eventually(async || listed(&office, "facts").await.len() == 4).await;
    assert_eq!(listed(&office, "rumours").await, [""; 0]);

    // Which is which: `list` gives the ids, `show` the payloads.
    let mut ids = BTreeMap::new();
    for line in listed(&office, "facts").await {
        let (id, rest) = line.split_once("  ").unwrap();
        let letter = office.praxis(&["dead-letters", "show", id]).await;
        let letter: Value = serde_json::from_str(&letter).unwrap();
        let key = letter["key"].as_str().unwrap();
        let told = format!("Counted of {key}  {COUNTER} after 1 try: it is odd");
        assert_eq!(rest, told);
        assert_eq!(letter["id"], id);
        ids.insert(letter["data"]["number"].as_u64().unwrap(), id.to_owned());
    }
    assert_eq!(ids.keys().copied().collect::<Vec<_>>(), [1, 3, 5, 9]);

    let redrive = ["dead-letters", "redrive"];
    let early = office
        .praxis_fails(&[redrive[0], redrive[1], &ids[&3]])
        .await;
    let earlier = format!("{} is of the same key", ids[&1]);
    assert!(early.contains(&earlier) && early.contains("409"), "{early}");

    handler.is_mended.store(true, Ordering::SeqCst);
    let redriven = office.praxis(&[redrive[0], redrive[1], &ids[&1]]).await;
    assert_eq!(redriven, format!("{}: redriven\n", ids[&1]));
    assert_eq!(handler.until_called(6).await[5], 1);
    let again = office
        .praxis_fails(&[redrive[0], redrive[1], &ids[&1]])
        .await;
    assert!(again.contains("404"), "{again}");

    let discarded = office.praxis(&["dead-letters", "discard", &ids[&9]]).await;
    assert_eq!(discarded, format!("{}: discarded\n", ids[&9]));
    let gone = office
        .praxis_fails(&["dead-letters", "show", &ids[&9]])
        .await;
    assert!(gone.contains("404"), "{gone}");

    let all = office
        .praxis(&["dead-letters", "redrive", "--all", "facts"])
        .await;
    assert_eq!(all, "facts: 2 redriven, 0 still open\n");
    assert_eq!(handler.until_called(8).await[6..], [3, 5]);
    assert_eq!(listed(&office, "facts").await, [""; 0]);
    office.close().await;
}

pub async fn what_the_command_line_cannot_do_it_says(broker: Arc<dyn Broker>) {
    let handler = Arc::new(Picky::default());
    let office = Office::open(&broker, group(COUNTER), handler).await;
    let list = ["dead-letters", "list"];
    let stranger = office.praxis_fails_with(&list, "no token of ours").await;
    assert!(stranger.contains("401"), "{stranger}");
    let nothing = ["dead-letters", "redrive", "--all", "nothing"];
    let nothing = office.praxis_fails(&nothing).await;
    assert!(nothing.contains("404"), "{nothing}");
    let which = office.praxis_fails(&["dead-letters", "redrive"]).await;
    assert!(which.contains("required arguments"), "{which}");

    let replay = async |group: &str, topic: &str, from: &str| {
        let of = ["replay", "--group", group, "--topic", topic, "--from", from];
        office.praxis_fails(&of).await
    };
    let nobody = replay("app.nobody", "facts", "earliest").await;
    assert!(nobody.contains("404"), "{nobody}");
    let unread = replay(COUNTER, "rumours", "earliest").await;
    assert!(
        unread.contains("does not read the topic rumours"),
        "{unread}"
    );
    let when = replay(COUNTER, "facts", "yesterday").await;
    assert!(when.contains("is not \"earliest\""), "{when}");
    office.close().await;
}

pub async fn a_group_is_replayed_by_the_command_line(broker: Arc<dyn Broker>) {
    publish(&broker, 0..4).await;
    let handler = Arc::new(Picky::default());
    handler.is_mended.store(true, Ordering::SeqCst);
    let office = Office::open(&broker, group(COUNTER), handler.clone()).await;
    assert_eq!(handler.until_called(4).await, [0, 1, 2, 3]);
    let of = ["replay", "--group", COUNTER, "--topic", "facts"];
    let replay = async |more: &[&str]| office.praxis(&[&of[..], more].concat()).await;

    let told = replay(&["--from", "earliest"]).await;
    let partition = office.partition().await["partition"].to_string();
    let handles = format!("{COUNTER} handles again facts/{partition}, offsets");
    assert_eq!(told, format!("{handles} 0 to 3\n"));
    // Nothing stopped: what is published meanwhile comes behind it.
    publish(&broker, 4..5).await;
    assert_eq!(handler.until_called(9).await[4..], [0, 1, 2, 3, 4]);

    // The request itself lies at offset 4, and 4 at 5.
    let told = replay(&["--from", "3", "--partition", &partition]).await;
    assert_eq!(told, format!("{handles} 3 to 5\n"));
    assert_eq!(handler.until_called(11).await[9..], [3, 4]);

    let told = replay(&["--from", "2100-01-01T00:00:00Z"]).await;
    assert_eq!(
        told,
        format!("{COUNTER} has nothing to handle again in facts\n")
    );
    office.close().await;
}

pub async fn a_rejected_event_is_held_where_none_may_be_left_out(broker: Arc<dyn Broker>) {
    publish(&broker, 0..4).await;
    let handler = Arc::new(Picky::default());
    let terms = Terms {
        on_exhausted: OnExhausted::Park,
        ..TERMS
    };
    let group = Group {
        topics: BTreeMap::from([("facts".to_owned(), terms)]),
        ..group(COUNTER)
    };
    let office = Office::open(&broker, group, handler.clone()).await;
    // Tried on and on, beyond the last try too.
    handler.until_called(2 + terms.attempts_max as usize).await;
    let partition = office.until(|partition| partition["lag"] == 3).await;
    let failing = &partition["here"]["failing"];
    assert_eq!(failing.as_array().unwrap().len(), 1, "{partition}");
    assert_eq!(
        (&failing[0]["offset"], &failing[0]["key"]),
        (&1.into(), &"key".into())
    );
    assert_eq!(
        (&failing[0]["state"], &failing[0]["reason"]),
        (&"parked".into(), &"it is odd".into())
    );
    assert_eq!(failing[0]["skipped"], false);
    assert_eq!(listed(&office, "facts").await, [""; 0]);
    assert!(!handler.seen.borrow().contains(&2), "it was overtaken");

    let place = |partition: &str, offset: &str| {
        let of = ["skip", "--group", COUNTER, "--topic", "facts"];
        let at = ["--partition", partition, "--offset", offset];
        of.into_iter()
            .chain(at)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let skip = async |place: &[String], fails: bool| {
        let place: Vec<_> = place.iter().map(String::as_str).collect();
        match fails {
            true => office.praxis_fails(&place).await,
            false => office.praxis(&place).await,
        }
    };
    let number = partition["partition"].to_string();
    let behind = skip(&place(&number, "2"), true).await;
    assert!(
        behind.contains("no event failed at this offset"),
        "{behind}"
    );
    let elsewhere = skip(&place("99", "1"), true).await;
    assert!(
        elsewhere.contains("does not read the partition"),
        "{elsewhere}"
    );
    let told = skip(&place(&number, "1"), false).await;
    assert!(
        told.starts_with(&format!("{COUNTER} leaves out facts/{number}, offset 1")),
        "{told}"
    );

    // Its key gets on, to the next one that is rejected.
    let partition = office.until(|partition| partition["lag"] == 1).await;
    assert_eq!(
        handler
            .seen
            .borrow()
            .iter()
            .filter(|number| **number == 2)
            .count(),
        1
    );
    eventually(async || office.partition().await["here"]["failing"][0]["offset"] == 3).await;
    assert_eq!(partition["here"]["dead_letters"], 1);
    let letters = listed(&office, "facts").await;
    assert!(
        letters[0].ends_with("an operator skipped it; it is odd"),
        "{letters:?}"
    );

    // It is not lost.
    handler.is_mended.store(true, Ordering::SeqCst);
    office.until(|partition| partition["lag"] == 0).await;
    let before = handler.seen.borrow().len();
    office
        .praxis(&["dead-letters", "redrive", "--all", "facts"])
        .await;
    assert_eq!(handler.until_called(before + 1).await[before], 1);
    office.close().await;
}
