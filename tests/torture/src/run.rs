//! A run, from an empty folder to a report.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::checker;
use crate::clients::{Client, Crowd};
use crate::history::Recorder;
use crate::mutation::Mutation;
use crate::report::{self, Report};
use crate::script::Script;
use crate::town::Town;
use crate::world::World;
use crate::{closing, read, settle, staff};

/// How often the staff of a hot practitioner changes their hours, and how often where it must be
/// found that this goes wrong.
const STAFF_PAUSE_MS: u64 = 900;
const STAFF_PAUSE_OF_FENCE_MS: u64 = 60;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How long clients act and things break.
    #[arg(long, default_value_t = 120)]
    pub seconds: u64,
    /// Who wants what and what breaks when follows from it, but for the race between them.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many hosts there are.
    #[arg(long, default_value_t = 2)]
    pub hosts: usize,
    /// How many clients act at one time.
    #[arg(long, default_value_t = 12)]
    pub clients: usize,
    /// How long a client waits between two deeds, at most.
    #[arg(long, default_value_t = 80)]
    pub pause_ms: u64,
    /// Break nothing: no kills, no outages.
    #[arg(long)]
    pub calm: bool,
    /// Let holds that nobody wants run out at once; and, when all faults are over, claims on mails that
    /// nobody works on: they are kept for 90 s.
    #[arg(long)]
    pub hasten: bool,
    /// Take away what a promise rests on, to see that it is found; several at once: `outbox,offer`.
    #[arg(long = "break", value_delimiter = ',')]
    pub broken: Vec<Mutation>,
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

impl Options {
    /// Of the run's folder.
    pub(crate) fn name(&self, adapter: Adapter) -> String {
        let adapter = match adapter {
            Adapter::Kafka => "kafka",
            Adapter::Postgres => "postgres",
        };
        let broken = self.broken.iter().map(|broken| format!("-{broken:?}"));
        format!("{adapter}{}", broken.collect::<String>()).to_lowercase()
    }
}

/// Acts, breaks, waits, reads and checks. An error means that the run itself could not be made;
/// what it found is in the report.
pub async fn run(options: &Options, adapter: Adapter) -> anyhow::Result<Report> {
    let mut chance = ChaCha8Rng::seed_from_u64(options.seed);
    let town = Arc::new(Town::build(&mut chance)?);
    let world = World::start(options, adapter, &town).await?;
    settle::settle(&world, false).await?;
    let (stop, stopped) = watch::channel(false);
    let (held_up, is_held_up) = watch::channel(false);
    let crowd = Arc::new(Crowd {
        api: world.api.clone(),
        town: town.clone(),
        recorder: Recorder::start(),
        pause_ms: options.pause_ms,
        is_held_up,
        stop: stopped.clone(),
        hasten: options.hasten.then(|| world.database.clone()),
        unclear: Default::default(),
    });
    let began = Instant::now();
    let script = Script::new(&world, options.seconds, stopped);
    let act = act(options, &crowd);
    let play = async {
        if !options.calm {
            script.play(options.seed).await;
        }
        tokio::time::sleep_until(began + Duration::from_secs(options.seconds)).await;
        stop.send_replace(true);
        world.post.be_reliable();
    };
    let acted = async { tokio::join!(play, act).1 };
    let acted = tokio::select! {
        acted = acted => acted,
        () = settle::watch_lag(&world, held_up) => Err(anyhow::anyhow!("nobody acts")),
    };
    let seconds = began.elapsed().as_secs_f64();
    let mut overdue: Vec<String> = script
        .overdue
        .lock()
        .map_or_else(|error| vec![error.to_string()], |overdue| overdue.clone());
    overdue.extend(world.fallen()?);
    let since = Instant::now();
    let settled = closing::close(&world, &crowd, options).await;
    overdue.extend(settled.err().map(|error| format!("{error:#}")));
    let settled_seconds = since.elapsed().as_secs_f64();
    let mut seen = read::read(&world, &town).await?;
    seen.operations = crowd.recorder.take();
    let fallen = world.fallen()?;
    let stopped = futures::future::join_all(world.hosts.iter().map(|host| host.stop())).await;
    let stopped = stopped.into_iter().filter_map(Result::err);
    overdue.extend(fallen);
    overdue.extend(stopped.map(|error| format!("{error:#}")));
    seen.overdue.append(&mut overdue);
    Ok(Report {
        adapter,
        seed: options.seed,
        hosts: options.hosts,
        clients: options.clients,
        broken: options.broken.clone(),
        seconds,
        settled_seconds,
        operations: report::tally(&seen.operations),
        refusals: report::refusals(&seen.operations),
        unclear: crowd.unclear(),
        profile_changes: acted?,
        faults: script.by_kind(),
        points: world.trap.passed(),
        script: script.faults(),
        findings: checker::check(&seen),
    })
}

/// Clients and staff, until they are told to stop. Says how often hours were changed.
async fn act(options: &Options, crowd: &Arc<Crowd>) -> anyhow::Result<u64> {
    let clients = (0..options.clients).map(|number| {
        let client = Client::new(crowd.clone(), options.seed, number, options.clients);
        tokio::spawn(client.run())
    });
    let clients: Vec<_> = clients.collect();
    let pause_ms = if options.broken.contains(&Mutation::Fence) {
        STAFF_PAUSE_OF_FENCE_MS
    } else {
        STAFF_PAUSE_MS
    };
    let practitioners = 0..crowd.town.hot_practitioners().len();
    let staff: Vec<_> = practitioners
        .map(|number| tokio::spawn(staff::run(crowd.clone(), options.seed, number, pause_ms)))
        .collect();
    for client in clients {
        client.await?;
    }
    let mut changes = 0;
    for one in staff {
        changes += one.await??;
    }
    Ok(changes)
}
