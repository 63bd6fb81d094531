//! The contract of `capabilities::events::Broker`: one suite, every adapter.

mod batches;
mod deliveries;
mod keys;
mod leases;
mod letters;
mod malformed;
mod office;
mod operators;
mod progress;
mod reader;
mod reads;
mod rebalances;
mod refusals;
mod replays;
mod suite;

mod on_kafka;
mod on_postgres;
mod only_kafka;
mod only_postgres;
mod tls;
