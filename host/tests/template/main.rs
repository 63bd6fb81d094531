//! The sandbox of `capabilities::template`: the application's own renderer and tenants' components in
//! it, over a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/postgres.rs"]
mod postgres;

mod place;

mod any_source;
mod components;
mod hostile;
mod hosts;
mod texts;
