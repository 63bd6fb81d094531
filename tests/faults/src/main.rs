//! `make faults`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use praxis_faults::run::{self, Adapter, Options};

/// Publishes events, hurts hosts and servers meanwhile, and says whether anything was lost, had
/// twice or out of order. Ends with 1 if so.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    /// Where the events are; without it one run on each.
    #[arg(long)]
    adapter: Option<Adapter>,
    /// Write the reports here too.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let adapters = match cli.adapter {
        Some(adapter) => vec![adapter],
        None => vec![Adapter::Kafka, Adapter::Postgres],
    };
    let mut reports = Vec::new();
    for adapter in adapters {
        let report = runtime.block_on(run::run(&cli.options, adapter))?;
        println!("{report}");
        reports.push(report);
    }
    if let Some(path) = &cli.json {
        let json = serde_json::to_vec_pretty(&reports)?;
        std::fs::write(path, json)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    let all_well = reports
        .iter()
        .all(|report| report.violations().next().is_none());
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
