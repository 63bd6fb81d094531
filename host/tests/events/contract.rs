//! The contract of `capabilities::events::Broker`: one suite, every adapter.

mod deliveries;
mod reader;
mod reads;
mod suite;

mod on_kafka;
mod on_postgres;
