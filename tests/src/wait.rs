//! Waiting for what must come: each wait has a name and an end.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

const LOOK_EVERY_MS: u64 = 100;

/// Looks until there is something to see, and hands it over; fails with the wait's name and what
/// was seen last.
pub async fn until<T, E: std::fmt::Display>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(seen) => return Ok(seen),
            Err(instead) if Instant::now() > deadline => {
                bail!(
                    "{what}: not within {} s; instead: {instead:#}",
                    within.as_secs()
                )
            }
            Err(_) => sleep(Duration::from_millis(LOOK_EVERY_MS)).await,
        }
    }
}
