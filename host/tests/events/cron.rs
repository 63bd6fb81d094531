//! Timers: due on time, on one host, one run at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use praxis_host::capabilities::events::Broker;
use praxis_host::capabilities::events::postgres::Log;
use praxis_host::manifest::{CronTrigger, Topic};
use praxis_host::runtime::consumer::{Delivery, Event, Handler, Outcome, Publication};
use praxis_host::triggers::cron::{Job, run};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::database;
use crate::waiting::within;

const EVERY_SECOND: &str = "* * * * * *";

/// Publishes one event a run, and notices when two runs overlap.
struct Clockwork {
    runs: watch::Sender<Vec<Delivery>>,
    at_work: AtomicUsize,
    slow_ms: u64,
}

impl Clockwork {
    fn new(slow_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            runs: watch::Sender::new(Vec::new()),
            at_work: AtomicUsize::new(0),
            slow_ms,
        })
    }

    async fn until_run(&self, times: usize) -> Vec<Delivery> {
        let mut runs = self.runs.subscribe();
        let runs = within(runs.wait_for(|runs| runs.len() >= times)).await;
        runs.unwrap().clone()
    }
}

#[async_trait]
impl Handler for Clockwork {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let others = self.at_work.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "two runs at once");
        tokio::time::sleep(Duration::from_millis(self.slow_ms)).await;
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        self.runs.send_modify(|runs| runs.push(delivery.clone()));
        let event = Event {
            kind: "Struck".to_owned(),
            ..delivery.event.clone()
        };
        Outcome::Done(vec![Publication {
            topic: "facts".to_owned(),
            event,
        }])
    }
}

fn trigger(schedule: &str) -> CronTrigger {
    CronTrigger {
        component: "clock".to_owned(),
        schedule: schedule.to_owned(),
        kind: "HourStruck".to_owned(),
    }
}

async fn log(pool: &PgPool) -> Arc<dyn Broker> {
    let log = Log::start(pool.clone(), "", CancellationToken::new());
    let topic = Topic {
        partitions: 1,
        retention_hours: 1,
        replication: 1,
        min_insync_replicas: 1,
    };
    let topics = BTreeMap::from([("facts".to_owned(), topic)]);
    log.ensure_topics(&topics).await.unwrap();
    log
}

fn start(
    pool: &PgPool,
    broker: &Arc<dyn Broker>,
    handler: Arc<Clockwork>,
) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let job = Job::new(&trigger(EVERY_SECOND), handler).unwrap();
    let task = tokio::spawn(run(pool.clone(), broker.clone(), vec![job], stop.clone()));
    (stop, task)
}

#[tokio::test]
async fn a_timer_runs_on_one_host_and_on_another_when_that_stops() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let (one, other) = (Clockwork::new(0), Clockwork::new(0));
    let (stop_one, task_one) = start(&pool, &broker, one.clone());
    one.until_run(1).await;
    let (stop_other, task_other) = start(&pool, &broker, other.clone());
    let runs = one.until_run(4).await;
    assert!(other.runs.borrow().is_empty());
    let times: BTreeSet<_> = runs.iter().map(|run| run.offset).collect();
    assert_eq!(times.len(), runs.len(), "one run a time");
    assert_eq!(runs[0].topic, "cron");
    assert_eq!(runs[0].event.kind, "HourStruck");
    assert_eq!(runs[0].event.data, "{}");
    assert_eq!(runs[0].time_ms, runs[0].offset * 1_000);
    stop_one.cancel();
    within(task_one).await.unwrap();
    other.until_run(1).await;
    stop_other.cancel();
    within(task_other).await.unwrap();

    let ran = one.runs.borrow().len() + other.runs.borrow().len();
    let lag = broker.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag[0].end, ran as u64, "each run's event was published");
}

#[tokio::test]
async fn a_slow_run_is_not_overlapped() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let slow = Clockwork::new(1_500);
    let (stop, task) = start(&pool, &broker, slow.clone());
    let runs = slow.until_run(2).await;
    assert!(runs[1].offset >= runs[0].offset + 2);
    stop.cancel();
    within(task).await.unwrap();
}

#[test]
fn a_schedule_has_six_fields() {
    for wrong in ["* * * * *", "61 * * * * *", "every day", ""] {
        let job = Job::new(&trigger(wrong), Clockwork::new(0));
        assert!(job.is_err(), "{wrong:?}");
    }
    Job::new(&trigger("*/15 * * * * *"), Clockwork::new(0)).unwrap();
}
