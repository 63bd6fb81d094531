//! The contract of `capabilities::events::Broker`: one suite, every adapter.

mod deliveries;
mod reader;
mod reads;
mod rebalances;
mod suite;

mod on_kafka;
mod on_postgres;
mod only_kafka;
mod only_postgres;
mod tls;
