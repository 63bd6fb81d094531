//! The client of every command.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;

/// Before the host closes what nothing is sent on (`head_timeout_ms`, 10 s): a request that is sent just then
/// gets no answer.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// It speaks TLS as well.
pub fn client() -> anyhow::Result<Client> {
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(60))
        .pool_idle_timeout(IDLE_MAX)
        .build()
        .context("could not set up an HTTP client")
}
