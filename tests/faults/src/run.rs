//! A run, from an empty folder to a report.

use std::time::Duration;

use clap::{Args, ValueEnum};
use praxis_tests::wait;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::checker::{self, Lag, Seen};
use crate::generator;
use crate::manifest::PARTITIONS;
use crate::plan::{self, Planned};
use crate::report::{Injection, Report};
use crate::script::Script;
use crate::world::World;

/// How long the last events may take: one that is tried as often as it may holds up those behind it
/// for 25 s, and there are a few.
const SETTLED_MS_MAX: u64 = 180_000;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many events are published.
    #[arg(long, default_value_t = 100_000)]
    pub events: usize,
    /// Over how many keys.
    #[arg(long, default_value_t = 1_000)]
    pub keys: usize,
    /// How many hosts there are at the beginning.
    #[arg(long, default_value_t = 3)]
    pub hosts: usize,
    /// What happens to which event follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leave hosts and servers alone; handlers misbehave all the same.
    #[arg(long)]
    pub calm: bool,
    /// Let no host hang: it takes longest.
    #[arg(long)]
    pub short: bool,
    /// Have the consumer do wrong, to see that it is found.
    #[arg(long)]
    pub broken: Option<Broken>,
}

/// Where the events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adapter {
    /// Three brokers that speak Kafka's protocol.
    Kafka,
    /// The log in PostgreSQL.
    Postgres,
}

/// What a broken consumer does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Says of an event that it is handled, and does nothing.
    Skip,
    /// Handles two events of one key in the wrong order.
    Swap,
    /// Handles an event twice.
    Twice,
}

impl Options {
    /// Of the run's folder.
    pub(crate) fn name(&self, adapter: Adapter) -> &'static str {
        match (adapter, self.broken.is_some()) {
            (Adapter::Kafka, false) => "kafka",
            (Adapter::Postgres, false) => "postgres",
            (Adapter::Kafka, true) => "kafka-broken",
            (Adapter::Postgres, true) => "postgres-broken",
        }
    }

    /// As the guest knows it.
    pub(crate) fn broken_word(&self) -> &'static str {
        match self.broken {
            None => "no",
            Some(Broken::Skip) => "skip",
            Some(Broken::Swap) => "swap",
            Some(Broken::Twice) => "twice",
        }
    }
}

/// Publishes, injects, waits, reads and checks. An error means that the run itself could not be made;
/// what it found is in the report.
pub async fn run(options: &Options, adapter: Adapter) -> anyhow::Result<Report> {
    let planned = plan::plan(options.events, options.keys, options.seed)?;
    let mut world = World::start(options, adapter).await?;
    let began = Instant::now();
    let (sender, handled) = watch::channel(0);
    let counter = tokio::spawn(generator::count(world.database.clone(), sender));
    let mut seen = Seen::default();
    let database = world.database.clone();
    let (allow, allowed) = watch::channel(0);
    let (injected, generated) = tokio::join!(
        inject(options, &mut world, handled, allow, &mut seen),
        generator::generate(&database, &planned, allowed),
    );
    seen.overdue
        .extend(generated.err().map(|error| format!("{error:#}")));
    finish(&mut world, &planned, &mut seen).await?;
    let seconds = began.elapsed().as_secs_f64();
    read(&mut world, &mut seen).await?;
    counter.await?;
    let mishaps = world.database.mishaps().await?;
    seen.overdue.extend(world.fleet.stop().await);
    seen.overdue.append(&mut world.fleet.fallen);
    world.postgres.stop().await?;
    Ok(Report {
        adapter,
        options: options.into(),
        seconds,
        events_per_second: options.events as f64 / seconds,
        injected,
        mishaps,
        findings: checker::check(&planned, PARTITIONS as usize, &seen),
    })
}

/// Hurts hosts and servers; once that is over, all events may be published.
async fn inject(
    options: &Options,
    world: &mut World,
    handled: watch::Receiver<u64>,
    allow: watch::Sender<usize>,
    seen: &mut Seen,
) -> Vec<Injection> {
    let mut script = Script::new(world, options.events, handled, allow);
    if options.calm {
        return script.injected;
    }
    if let Err(error) = script.play(options.short).await {
        seen.overdue.push(format!("{error:#}"));
    }
    script.injected
}

/// Waits until all is published and nothing is left to do.
async fn finish(world: &mut World, planned: &[Planned], seen: &mut Seen) -> anyhow::Result<()> {
    let within = Duration::from_millis(SETTLED_MS_MAX);
    let settled = wait::until("all events are done", within, async || {
        let unpublished = world
            .database
            .unpublished()
            .await
            .map_err(anyhow::Error::from)?;
        anyhow::ensure!(unpublished == 0, "{unpublished} are not published");
        let consumed = world.fleet.consumed().await?;
        let published: u64 = consumed.iter().map(|partition| partition.end).sum();
        let lag: u64 = consumed.iter().map(|partition| partition.lag).sum();
        anyhow::ensure!(
            published >= planned.len() as u64,
            "{published} are in the topic"
        );
        anyhow::ensure!(lag == 0, "{lag} are not done");
        Ok(())
    });
    if let Err(error) = settled.await {
        seen.overdue.push(format!("{error:#}"));
    }
    world.fleet.look_after()
}

async fn read(world: &mut World, seen: &mut Seen) -> anyhow::Result<()> {
    seen.effects = world.database.effects().await?;
    seen.totals = world.database.totals().await?;
    seen.unpublished = world.database.unpublished().await?;
    seen.letters = world.letters().await?;
    let consumed = world.fleet.consumed_soon().await?;
    seen.lags = consumed
        .into_iter()
        .map(|partition| Lag {
            topic: partition.topic,
            partition: partition.partition,
            lag: partition.lag,
        })
        .collect();
    Ok(())
}
