//! `make torture`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use praxis_torture::run::{self, Adapter, Options};

/// Books, holds, moves and cancels from all sides, while hosts are killed and servers go away, and
/// says whether any promise was broken. Ends with 1 if so.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    /// Where the events are; without it one run on each.
    #[arg(long)]
    events: Option<Adapter>,
    /// Write the reports here too.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let adapters = match cli.events {
        Some(adapter) => vec![adapter],
        None => vec![Adapter::Postgres, Adapter::Kafka],
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
        .all(|report| report.findings.violations.is_empty());
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
