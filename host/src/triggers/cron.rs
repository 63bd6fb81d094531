//! `[[trigger.cron]]`: a component is called when its time has come, on one host among all.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backoff::backoff;
use super::kafka::release;
use super::leader::{Leader, Office};
use crate::capabilities::events::{Broker, Error, Outgoing, trace};
use crate::clock;
use crate::manifest::CronTrigger;
use crate::runtime::consumer::{Delivery, Event, Handler, Outcome};

/// The topic of a timer's events.
const TOPIC: &str = "cron";

/// How often the host that runs the timers makes sure that it is still the one.
const CONFIRM_MS: u64 = 2_000;

const RETRY_FIRST_MS: u64 = 200;
const RETRY_MS_MAX: u64 = 10_000;

/// The longest that a sleep may be wrong by if the clock is set.
const SLEEP_MS_MAX: u64 = 10_000;

/// A timer.
#[derive(Clone)]
pub struct Job {
    component: String,
    schedule: Cron,
    kind: String,
    handler: Arc<dyn Handler>,
}

impl Job {
    /// A timer of the manifest, and what handles it.
    pub fn new(trigger: &CronTrigger, handler: Arc<dyn Handler>) -> anyhow::Result<Self> {
        let schedule = CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(&trigger.schedule)
            .with_context(|| {
                format!(
                    "the schedule {:?} of [[trigger.cron]] for {:?} is not six fields of cron",
                    trigger.schedule, trigger.component
                )
            })?;
        Ok(Self {
            component: trigger.component.clone(),
            schedule,
            kind: trigger.kind.clone(),
            handler,
        })
    }
}

/// Runs the timers until `stop`, while this host is the one that does. A time that passes while
/// no host does is not made up for; a run that takes longer than to the next time skips it.
pub async fn run(pool: PgPool, broker: Arc<dyn Broker>, jobs: Vec<Job>, stop: CancellationToken) {
    let options = pool.connect_options();
    if jobs.is_empty() {
        return;
    }
    while let Some(mut leader) = Leader::elected(&options, Office::Timers, &stop).await {
        let deposed = stop.child_token();
        let mut timers = JoinSet::new();
        for job in &jobs {
            timers.spawn(tick(job.clone(), broker.clone(), deposed.clone()));
        }
        if let Err(error) = lead(&mut leader, &stop).await {
            tracing::warn!(%error, "the timers' host lost its connection, and with it the lead");
        }
        deposed.cancel();
        // What runs is finished: the handler has its own time limit.
        while let Some(ended) = timers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a timer failed");
            }
        }
    }
}

/// Leads until `stop`, or until the connection that holds the lock is lost.
async fn lead(leader: &mut Leader, stop: &CancellationToken) -> sqlx::Result<()> {
    loop {
        let pause = tokio::time::sleep(Duration::from_millis(CONFIRM_MS));
        if stop.run_until_cancelled(pause).await.is_none() {
            return Ok(());
        }
        leader.confirm().await?;
    }
}

async fn tick(job: Job, broker: Arc<dyn Broker>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let due = match job.schedule.find_next_occurrence(&clock::now(), false) {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, kind = job.kind, "the timer will never be due again");
                return;
            }
        };
        if stop.run_until_cancelled(sleep_until(due)).await.is_none() {
            return;
        }
        // In a task of its own, so that a panic ends one run and not the timer.
        let one = tokio::spawn(one_run(job.clone(), broker.clone(), due, stop.clone()));
        if let Err(error) = one.await {
            tracing::error!(%error, kind = job.kind, "a timer's run failed");
        }
    }
}

async fn sleep_until(due: DateTime<Utc>) {
    // The wall clock may be set while this waits: it looks again now and then.
    while let Ok(left) = (due - clock::now()).to_std() {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_millis(SLEEP_MS_MAX))).await;
    }
}

async fn one_run(job: Job, broker: Arc<dyn Broker>, due: DateTime<Utc>, stop: CancellationToken) {
    let id = Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("{TOPIC}/{}/{}/{}", job.component, job.kind, due.timestamp()).as_bytes(),
    );
    let delivery = Delivery {
        id: id.to_string(),
        source: TOPIC.to_owned(),
        time_ms: due.timestamp_millis().unsigned_abs(),
        topic: TOPIC.to_owned(),
        partition: 0,
        offset: due.timestamp().unsigned_abs(),
        attempt: 1,
        traceparent: Some(trace::begin(id)),
        event: Event {
            kind: job.kind.clone(),
            key: job.kind.clone(),
            stream_version: 0,
            data: "{}".to_owned(),
        },
    };
    let outcome = match job.handler.handle(&delivery).await {
        Outcome::Done(publications) => {
            let batch = release(&delivery, id, &job.component, publications);
            publish(&job, &*broker, &batch, &stop).await;
            "done"
        }
        Outcome::Retry(reason) | Outcome::Fault(reason) => {
            tracing::warn!(
                component = job.component,
                kind = job.kind,
                reason,
                "a timer's run failed: the next one comes"
            );
            "retry"
        }
        Outcome::Reject(reason) => {
            tracing::error!(
                component = job.component,
                kind = job.kind,
                reason,
                "a timer's run was rejected"
            );
            "reject"
        }
    };
    metrics::counter!("timer.runs", "kind" => job.kind.clone(), "outcome" => outcome).increment(1);
}

/// Publishes, however long the broker takes to come back: until then the timer stands still.
async fn publish(job: &Job, broker: &dyn Broker, batch: &[Outgoing], stop: &CancellationToken) {
    if batch.is_empty() {
        return;
    }
    let mut pauses = backoff(RETRY_FIRST_MS, RETRY_MS_MAX);
    loop {
        match broker.publish(batch).await {
            Ok(()) => return,
            Err(error @ (Error::UnknownTopic(_) | Error::Refused(_))) => {
                tracing::error!(%error, kind = job.kind, "what a timer published is lost");
                return;
            }
            Err(error @ (Error::Unavailable(_) | Error::Lost)) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                kind = job.kind,
                "what a timer published waits"
            ),
        }
        let pause = tokio::time::sleep(pauses());
        if stop.run_until_cancelled(pause).await.is_none() {
            tracing::warn!(
                kind = job.kind,
                "stopped before the broker took what a timer published"
            );
            return;
        }
    }
}
