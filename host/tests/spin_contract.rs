//! Spin's interfaces against real servers: first without a guest, then with one.

#[path = "support/spin_servers.rs"]
mod spin_servers;

#[path = "spin_contract/in_a_guest.rs"]
mod in_a_guest;
#[path = "spin_contract/on_postgres.rs"]
mod on_postgres;
#[path = "spin_contract/on_redis.rs"]
mod on_redis;
