//! The contract of `capabilities::events::Broker`: one suite, every adapter.

mod deliveries;
mod keys;
mod reader;
mod suite;

mod on_kafka;
mod on_postgres;
