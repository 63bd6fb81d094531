//! The contract of `capabilities::events::Broker`: one suite, every adapter.

mod batches;
mod deliveries;
mod keys;
mod reader;
mod replays;
mod suite;

mod on_kafka;
mod on_postgres;
