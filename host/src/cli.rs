//! The commands: the composition root, and the only place that names an adapter.

pub mod build;
pub mod check;
pub mod compose;
pub mod dead_letters;
pub mod migrate;
pub mod new;
pub mod remote;
pub mod replay;
pub mod serve;
pub mod services;
pub mod settings;
pub mod skip;
pub mod swap;
pub mod token;
pub mod up;
pub mod watch;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What is logged where RUST_LOG says nothing.
const LOG_DEFAULT: &str = "info,sqlx=warn,tantivy=warn,librdkafka=error";

/// Runs WebAssembly components that answer requests and consume events.
#[derive(Debug, Parser)]
#[command(name = "praxis", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: PostgreSQL, Redis, the application, a demo directory.
    Up(up::Up),
    /// Run the application against services that you name.
    Serve(serve::Serve),
    /// Say all that is wrong with an application, or what each component is and may do.
    Check(check::Check),
    /// Bring the database's schema up to date.
    Migrate(migrate::Migrate),
    /// Print a token of the development issuer.
    Token(token::Token),
    /// Make a new component's project: one that answers requests, or one that handles events.
    New(new::New),
    /// Build the components that the manifest names.
    Build(build::Build),
    /// Put a new version of a component into a host that runs.
    Swap(swap::Swap),
    /// Put the version before a swap back.
    Rollback(swap::Rollback),
    /// List, show, redrive and discard the events that were given up on, in a host that runs.
    DeadLetters(dead_letters::DeadLetters),
    /// Let a component handle again what it has handled, in a host that runs.
    Replay(replay::Replay),
    /// Let a component leave out an event that it cannot handle, in a host that runs.
    Skip(skip::Skip),
    #[command(flatten)]
    Directory(praxis_directory::Command),
}

impl Cli {
    /// Runs the command on a runtime of its own.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        log();
        // One provider for every TLS client in the process.
        let installed = rustls::crypto::ring::default_provider().install_default();
        debug_assert!(installed.is_ok(), "nothing installs a provider before main");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let result = runtime.block_on(async {
            match self.command {
                Command::Up(up) => up.run().await?,
                Command::Serve(serve) => serve.run().await?,
                Command::Check(check) => return check.run().await,
                Command::Migrate(migrate) => migrate.run().await?,
                Command::Token(token) => token.run()?,
                Command::New(new) => new.run()?,
                Command::Build(build) => build.run().await?,
                Command::Swap(swap) => swap.run().await?,
                Command::Rollback(rollback) => rollback.run().await?,
                Command::DeadLetters(letters) => letters.run().await?,
                Command::Replay(replay) => replay.run().await?,
                Command::Skip(skip) => skip.run().await?,
                Command::Directory(command) => praxis_directory::run(command).await?,
            }
            Ok(ExitCode::SUCCESS)
        });
        // Idle instances sit in its tasks: cut off with the runtime, they would be logged as traps.
        std::mem::forget(runtime);
        result
    }
}

fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
