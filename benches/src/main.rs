//! What the host costs, beside what else could have answered: `make bench`.
//!
//! The contestants run at the same time and are loaded in turn, round by round, so that a machine
//! that becomes slower becomes slower for all; what counts is the ratio within a round.

mod bare;
mod bookings;
mod client;
mod clock;
mod contestant;
mod database;
mod events;
mod figures;
mod growth;
mod hello;
mod index;
mod instances;
mod isolation;
mod load;
mod looks;
mod many;
mod native;
mod place;
mod rebuild;
mod select;
mod start;
mod templates;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use self::figures::Report;
use self::place::Place;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the host, side by side with others.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    contestant: Option<Contestant>,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Bench>,
    /// Rounds that count; one more comes first and does not.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each contestant is loaded in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// How many components are idle, then hit once each.
    #[arg(long, default_value_t = 1_000)]
    components: usize,
    /// How many of the smallest kind are.
    #[arg(long, default_value_t = 10_000)]
    small_components: usize,
    /// How many events a group reads in a round.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// How many events wait for a host, to see what memory that takes.
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// How many clients want the same slot.
    #[arg(long, default_value_t = 10_000)]
    clients: u64,
    /// How many documents the index alone holds.
    #[arg(long, default_value_t = 1_000_000)]
    documents: usize,
    /// Write the figures here too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The host that is measured, in place of the one that was built here.
    #[arg(long)]
    host: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// A greeting, against `wasmtime serve` and a native server.
    Hello,
    /// One row and a thousand from PostgreSQL, against a native server.
    Select,
    /// A fresh instance for each request, against one that is used again.
    Instances,
    /// A component beside another that misbehaves.
    Isolation,
    /// Components that lie idle and are then hit once.
    Many,
    /// From nothing to the first answer.
    Start,
    /// Events, against a consumer without a host.
    Events,
    /// Bookings through the whole application, against the statement alone; and thousands of clients
    /// for one slot.
    Bookings,
    /// The embedded index alone: built, searched, changed; against a grid in memory.
    Index,
    /// Free slots through the whole application, against reading Redis in a loop.
    Looks,
    /// Messages made in the sandbox, against minijinja without one.
    Templates,
}

#[derive(Debug, Subcommand)]
enum Contestant {
    /// The native server that the host is compared with.
    Native(native::Arguments),
    /// The consumer without a host that it is compared with.
    Bare(bare::Arguments),
    /// How all grows with the directory.
    Growth(growth::Arguments),
    /// How long it takes to make the index and the bitmap anew.
    Rebuild(rebuild::Arguments),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.contestant {
            Some(Contestant::Native(arguments)) => native::serve(arguments).await,
            Some(Contestant::Bare(arguments)) => bare::consume(arguments).await,
            Some(Contestant::Growth(arguments)) => {
                let place = Place::find(cli.host.as_deref())?;
                growth::measure(&arguments, &place).await
            }
            Some(Contestant::Rebuild(arguments)) => {
                let place = Place::find(cli.host.as_deref())?;
                rebuild::measure(&arguments, &place).await
            }
            None => measure(&cli).await,
        }
    })
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    let place = Place::find(cli.host.as_deref())?;
    let mut reports: Vec<Report> = Vec::new();
    for bench in Bench::value_variants() {
        if !cli.only.is_empty() && !cli.only.contains(bench) {
            continue;
        }
        let report = match bench {
            Bench::Hello => hello::measure(&place, cli.rounds, cli.seconds),
            Bench::Select => select::measure(&place, cli.rounds, cli.seconds).await,
            Bench::Instances => instances::measure(&place, cli.rounds, cli.seconds),
            Bench::Isolation => isolation::measure(&place, cli.rounds, cli.seconds),
            Bench::Many => many::measure(&place, cli.components, cli.small_components),
            Bench::Start => start::measure(&place, cli.rounds).await,
            Bench::Events => events::measure(&place, cli.rounds, cli.events, cli.backlog).await,
            Bench::Bookings => {
                bookings::measure(&place, cli.rounds, cli.seconds, cli.clients).await
            }
            Bench::Index => index::measure(cli.rounds, cli.documents).await,
            Bench::Looks => looks::measure(&place, cli.rounds, cli.seconds).await,
            Bench::Templates => templates::measure(&place, cli.rounds, cli.seconds).await,
        };
        let made = report.with_context(|| format!("could not measure {bench:?}"))?;
        for report in made {
            print!("{report}");
            reports.push(report);
        }
    }
    if let Some(path) = &cli.json {
        let json = serde_json::to_vec_pretty(&reports)?;
        std::fs::write(path, json)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}
