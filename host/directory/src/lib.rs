//! The commands that know the domain: filling a directory of practitioners, and what to try with it.

use clap::Subcommand;

mod csv_file;
mod demo;
mod examples;
mod hours;
mod import;

pub use examples::examples;
pub use import::{BadLine, Report, import_ndjson};

/// The directory that comes with Praxis: NDJSON, a practitioner a line, all of them invented.
pub const DEMO: &str = include_str!("../demo/practitioners.ndjson");

/// Somebody for whom a development token is made.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub sub: &'static str,
    pub role: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

/// Who imports the directory that comes along.
pub const OPERATOR: Person = Person {
    sub: "operator",
    role: "operator",
    name: "Operator",
    email: "operator@praxis.example",
};

/// Who tries Praxis out.
pub const VISITOR: Person = Person {
    sub: "alice",
    role: "patient",
    name: "Alice Example",
    email: "alice@praxis.example",
};

/// The commands around the directory.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import practitioners from an NDJSON or a CSV file into a running Praxis.
    Import(import::Arguments),
    /// Make a directory of invented practitioners (NDJSON) out of a file of real facilities.
    DemoDirectory(demo::Arguments),
}

/// Runs a command. It fails as well where the import left a bad line behind.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Import(arguments) => import::run(arguments).await,
        Command::DemoDirectory(arguments) => demo::run(&arguments),
    }
}
