//! The fault run: events are published, hosts and servers are hurt meanwhile, and what came of
//! every event is held against what should have. Nothing of Praxis is linked in here: hosts are
//! child processes, spoken to over HTTP, Kafka and PostgreSQL.

pub mod checker;
pub mod plan;
pub mod report;
pub mod run;

mod brokers;
mod database;
mod fleet;
mod generator;
mod host;
mod losses;
mod manifest;
mod operations;
mod place;
mod records;
mod script;
mod world;
