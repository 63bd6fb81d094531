//! Waiting for what must come, instead of sleeping.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const LOOK_EVERY_MS: u64 = 50;

/// How long events may take to travel.
pub const SOON: Duration = Duration::from_secs(30);

/// Looks until there is something to see, and hands it over.
///
/// # Panics
/// When it takes longer than `within`; says what was seen last.
pub async fn eventually<T, E: std::fmt::Display>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(instead) if Instant::now() > deadline => {
                panic!("{what}: not within {within:?}; instead: {instead}")
            }
            Err(_) => sleep(Duration::from_millis(LOOK_EVERY_MS)).await,
        }
    }
}

/// Turns a condition into something to look for.
pub fn ensure(holds: bool, instead: impl std::fmt::Display) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(instead.to_string())
    }
}
