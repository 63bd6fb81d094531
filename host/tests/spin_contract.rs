//! Spin's interfaces against real servers: first without a guest, then with one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/redis.rs"]
mod redis;

#[path = "spin_contract/certificates.rs"]
mod certificates;
#[path = "spin_contract/guest.rs"]
mod guest;
#[path = "spin_contract/in_a_guest.rs"]
mod in_a_guest;
#[path = "spin_contract/on_postgres.rs"]
mod on_postgres;
#[path = "spin_contract/on_redis.rs"]
mod on_redis;
#[path = "spin_contract/on_stores.rs"]
mod on_stores;
#[path = "spin_contract/outbound_http.rs"]
mod outbound_http;
#[path = "spin_contract/outbound_tls.rs"]
mod outbound_tls;
#[path = "spin_contract/postgres_connections.rs"]
mod postgres_connections;
#[path = "spin_contract/postgres_tls.rs"]
mod postgres_tls;
#[path = "spin_contract/postgres_values.rs"]
mod postgres_values;
#[path = "spin_contract/sockets.rs"]
mod sockets;
#[path = "spin_contract/subscribers.rs"]
mod subscribers;

/// A port where nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
