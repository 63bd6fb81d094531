//! The contract of `capabilities::events::Broker`: one suite, every adapter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/postgres_for_events.rs"]
mod postgres_for_events;
#[path = "support/reader.rs"]
mod reader;
#[path = "support/waiting.rs"]
mod waiting;

#[path = "events_contract/deliveries.rs"]
mod deliveries;
#[path = "events_contract/suite.rs"]
mod suite;

#[path = "events_contract/on_kafka.rs"]
mod on_kafka;
#[path = "events_contract/on_postgres.rs"]
mod on_postgres;
