//! A run, from an empty folder to a report.

use std::time::Duration;

use clap::{Args, ValueEnum};
use praxis_tests::wait;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::checker::{self, Disturbance, Exposure, Lag, Seen, Terms};
use crate::generator;
use crate::losses::{self, Loss};
use crate::manifest::{
    BATCH_EVENTS_MAX, Component, DEAD_LETTERS, EVENT_TIMEOUT_MS, FOLLOW_UP_PARTITIONS, FOLLOW_UPS,
    IN_FLIGHT_MAX, PARTITIONS,
};
use crate::operations::Range;
use crate::plan::{self, Planned};
use crate::records::Record;
use crate::report::{Found, Injection, Report};
use crate::script::Script;
use crate::world::World;

/// How long the last events may take: one that is tried as often as it may holds up those behind it
/// for 25 s, and there are a few.
const SETTLED_MS_MAX: u64 = 180_000;

/// How often hosts commit what is done: what was handled since is delivered again after a kill.
const KAFKA_COMMIT_MS: u64 = 200;
const POSTGRES_COMMIT_MS: u64 = 100;
/// How long a host may be silent before the others have its partitions.
const KAFKA_SESSION_MS: u64 = 10_000;
/// The mock coordinator lets members wait for each other nearly that long at every rebalance. It lets
/// the first ones wait for 3 s, and misses them meanwhile if that is longer.
const KAFKA_SESSION_SHORT_MS: u64 = 4_000;
const POSTGRES_LEASE_MS: u64 = 6_000;
/// The pause before a second try: 200 ms, and as much again by chance.
const FIRST_PAUSE_MS_MAX: u64 = 400;

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
    /// Kill a host and let another one hang at one time: they are missed together.
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
    /// Does not publish what belongs to an event.
    Mute,
    /// Publishes two events for one.
    Chatter,
    /// Each of these, at an event of its own.
    All,
}

impl Adapter {
    /// What a partition that moves may have delivered again.
    fn exposure(self, options: &Options, component: Component) -> Exposure {
        let commit_ms = match self {
            // The mock coordinator hears no commit while a group waits for a member that is missing.
            // A real one does.
            Self::Kafka => KAFKA_COMMIT_MS + options.session_ms(),
            Self::Postgres => POSTGRES_COMMIT_MS,
        };
        let (of_a_partition, call_events) = match component {
            Component::Recorder => (IN_FLIGHT_MAX, 0),
            Component::Batcher => (BATCH_EVENTS_MAX, BATCH_EVENTS_MAX),
        };
        // A call that does not come back, and its first pause; a batch is then tried one by one.
        let held_ms = match component {
            Component::Recorder => EVENT_TIMEOUT_MS + FIRST_PAUSE_MS_MAX,
            Component::Batcher => 2 * EVENT_TIMEOUT_MS + FIRST_PAUSE_MS_MAX,
        };
        Exposure {
            in_flight: u64::from(of_a_partition * PARTITIONS),
            uncommitted_ms: commit_ms + held_ms,
            call_events: u64::from(call_events),
        }
    }
}

impl Loss {
    /// It went on for as long as it was not missed, and takes as long at most to be back.
    fn disturbance(&self, options: &Options, adapter: Adapter) -> Disturbance {
        let silent_ms = match adapter {
            Adapter::Kafka => options.session_ms(),
            Adapter::Postgres => POSTGRES_LEASE_MS,
        };
        Disturbance {
            from_ms: self.at_ms.saturating_sub(silent_ms),
            to_ms: self.at_ms + silent_ms,
        }
    }
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

    /// How long Kafka's groups wait for a member.
    pub(crate) fn session_ms(&self) -> u64 {
        match self.short {
            true => KAFKA_SESSION_SHORT_MS,
            false => KAFKA_SESSION_MS,
        }
    }

    /// As the guest knows it.
    pub(crate) fn broken_word(&self) -> &'static str {
        match self.broken {
            None => "no",
            Some(Broken::Skip) => "skip",
            Some(Broken::Swap) => "swap",
            Some(Broken::Twice) => "twice",
            Some(Broken::Mute) => "mute",
            Some(Broken::Chatter) => "chatter",
            Some(Broken::All) => "all",
        }
    }
}

/// What was done while events went through.
#[derive(Default)]
struct Injected {
    injections: Vec<Injection>,
    disturbances: Vec<Disturbance>,
    hung: Vec<String>,
    replays: Vec<(Component, Range)>,
    /// What did not happen in time.
    overdue: Vec<String>,
}

/// Publishes, injects, waits, reads and checks. An error means that the run itself could not be made;
/// what it found is in the report.
pub async fn run(options: &Options, adapter: Adapter) -> anyhow::Result<Report> {
    let planned = plan::plan(options.events, options.keys, options.seed)?;
    let mut world = World::start(options, adapter).await?;
    world.database.begin().await?;
    let began = Instant::now();
    let (sender, handled) = watch::channel(0);
    let counter = tokio::spawn(generator::count(world.database.clone(), sender));
    let database = world.database.clone();
    let (allow, allowed) = watch::channel(0);
    let (mut injected, generated) = tokio::join!(
        inject(options, &mut world, handled, allow, began),
        generator::generate(&database, &planned, allowed),
    );
    let mut overdue = std::mem::take(&mut injected.overdue);
    overdue.extend(generated.err().map(|error| format!("{error:#}")));
    overdue.extend(finish(&mut world, &planned).await?);
    let seconds = began.elapsed().as_secs_f64();
    let unpublished = world.database.unpublished().await?;
    let seen = read(&world, &injected).await?;
    let losses = world.losses().await?;
    counter.await?;
    overdue.extend(world.fleet.stop().await);
    overdue.append(&mut world.fleet.fallen);
    world.postgres.stop().await?;
    // A member of a Kafka group that wakes in the middle of a rebalance joins it, and need not hear
    // that it was missed.
    if adapter == Adapter::Postgres {
        overdue.extend(silent(&injected.hung, &losses));
    }
    count_redeliveries(&mut injected.injections, &seen);
    let found = seen.iter().map(|(component, seen)| {
        let losses = losses::of(*component, &losses);
        let by_themselves = losses.iter().map(|loss| loss.disturbance(options, adapter));
        let injected = injected.disturbances.iter().copied();
        let terms = Terms {
            partitions: PARTITIONS as usize,
            exposure: adapter.exposure(options, *component),
            disturbances: injected.chain(by_themselves).collect(),
        };
        Found {
            component: component.name(),
            losses: losses.len(),
            findings: checker::check(&planned, &terms, seen),
        }
    });
    let found = found.collect();
    Ok(Report {
        adapter,
        options: options.into(),
        seconds,
        events_per_second: options.events as f64 / seconds,
        plan: plan::fingerprint(&planned),
        injected: injected.injections,
        found,
        violations: checker::left_over(unpublished, &overdue),
    })
}

/// Hurts hosts and servers; once that is over, all events may be published.
async fn inject(
    options: &Options,
    world: &mut World,
    handled: watch::Receiver<u64>,
    allow: watch::Sender<usize>,
    began: Instant,
) -> Injected {
    if options.calm {
        return Injected::default();
    }
    let mut script = Script::new(world, options.events, handled, allow, began);
    let played = script.play(options.short).await;
    let overdue = played.err().map(|error| format!("{error:#}"));
    Injected {
        injections: script.injected,
        disturbances: script.disturbances,
        hung: script.hung,
        replays: script.replays,
        overdue: overdue.into_iter().collect(),
    }
}

/// Waits until all is published and nothing is left to do; says if that does not come.
async fn finish(world: &mut World, planned: &[Planned]) -> anyhow::Result<Option<String>> {
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
            published >= (planned.len() * Component::ALL.len()) as u64,
            "{published} are in the topic, each counted twice"
        );
        anyhow::ensure!(lag == 0, "{lag} are not done");
        Ok(())
    });
    let overdue = settled.await.err().map(|error| format!("{error:#}"));
    world.fleet.look_after()?;
    Ok(overdue)
}

/// What came of it, for each component.
async fn read(world: &World, injected: &Injected) -> anyhow::Result<Vec<(Component, Seen)>> {
    let letters = world.records(DEAD_LETTERS, 1).await?;
    let letters = letters
        .iter()
        .filter_map(|record| record.letter().transpose());
    let letters: Vec<_> = letters.collect::<anyhow::Result<_>>()?;
    let consumed = world.fleet.consumed_soon().await?;
    let mut all = Vec::new();
    for component in Component::ALL {
        let group = component.group();
        let follow_ups = match component {
            Component::Recorder => {
                let records = world.records(FOLLOW_UPS, FOLLOW_UP_PARTITIONS).await?;
                let follow_ups = records.iter().map(Record::follow_up);
                Some(follow_ups.collect::<anyhow::Result<_>>()?)
            }
            Component::Batcher => None,
        };
        let own = consumed.iter().filter(|partition| partition.group == group);
        let lags = own.map(|partition| Lag {
            topic: partition.topic.clone(),
            partition: partition.partition,
            lag: partition.lag,
        });
        let letters = letters.iter().filter(|letter| letter.group == group);
        let replays = injected.replays.iter();
        let replays = replays.filter(|(asked, _)| *asked == component);
        let database = &world.database;
        let seen = Seen {
            effects: database.effects(component).await?,
            redeliveries: database.redeliveries(component).await?,
            totals: database.totals(component).await?,
            letters: letters.cloned().collect(),
            follow_ups,
            pardons: database.pardons(component).await?,
            replays: replays.map(|(_, range)| *range).collect(),
            mishaps: database.mishaps(component).await?,
            lags: lags.collect(),
        };
        all.push((component, seen));
    }
    Ok(all)
}

/// Hosts that hung until the others had their partitions, and never said so: then nobody would know
/// of what is lost otherwise either.
fn silent(hung: &[String], losses: &[Loss]) -> Vec<String> {
    let is_silent = |host: &&String| losses.iter().all(|loss| loss.host != **host);
    let silent = hung.iter().filter(is_silent);
    silent
        .map(|host| format!("{host} hung, and did not say that it lost its partitions"))
        .collect()
}

/// Which injection is followed by how many redeliveries.
fn count_redeliveries(injections: &mut [Injection], seen: &[(Component, Seen)]) {
    for redelivery in seen.iter().flat_map(|(_, seen)| &seen.redeliveries) {
        let after = injections.partition_point(|injection| injection.at_ms <= redelivery.at_ms);
        if let Some(last) = after.checked_sub(1) {
            injections[last].redelivered += 1;
        }
    }
}
