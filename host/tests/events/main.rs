//! Events: how they are carried, and what the host makes of those that are due.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/postgres.rs"]
mod postgres;

mod database;
mod waiting;

mod contract;
mod cron;
mod relay;
