//! The commands that know the domain: filling a directory of practitioners, and what to try with it.

use clap::Subcommand;

mod audit;
mod bench;
mod csv_file;
mod demo;
mod difference;
mod examples;
mod hours;
mod http;
mod import;
mod rebuild;

pub use examples::examples;
pub use import::{BadLine, Report, import_ndjson};

/// The directory that comes with Praxis: NDJSON, a practitioner a line, all of them invented.
pub const DEMO: &str = include_str!("../demo/practitioners.ndjson");

/// Somebody that a development host can give a token to.
#[derive(Debug)]
pub struct Person {
    pub sub: &'static str,
    pub role: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

/// Who imports the demo directory.
pub const OPERATOR: Person = Person {
    sub: "operator",
    role: "operator",
    name: "Operator",
    email: "operator@praxis.localhost",
};

/// Who tries it: a patient.
pub const VISITOR: Person = Person {
    sub: "visitor",
    role: "patient",
    name: "Vera Visitor",
    email: "vera@praxis.localhost",
};

/// The commands around the directory.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import practitioners from an NDJSON or a CSV file into a running Praxis.
    Import(import::Arguments),
    /// Make a directory of invented practitioners (NDJSON) out of a file of real facilities.
    DemoDirectory(demo::Arguments),
    /// Hold the bitmap, the next free slots and the search against the database, and name what differs.
    Audit(audit::Arguments),
    /// Make the index of the search or the bitmap anew, beside the one that answers, and switch.
    Rebuild(rebuild::Arguments),
    /// Search, look and book at a steady rate, and say how long it takes.
    Bench(bench::Arguments),
}

/// Runs a command. It fails as well where the import left a bad line behind, or an audit a difference.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Import(arguments) => import::run(arguments).await,
        Command::DemoDirectory(arguments) => demo::run(&arguments),
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Rebuild(arguments) => rebuild::run(arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await,
    }
}
