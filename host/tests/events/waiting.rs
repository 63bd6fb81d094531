//! Waiting for what must come, with a deadline.

use std::time::Duration;

/// Nothing that a test waits for takes longer.
const DEADLINE_MS: u64 = 120_000;
const POLL_MS: u64 = 20;

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_millis(DEADLINE_MS), future)
        .await
        .expect("it takes too long")
}

/// Tries until the condition holds.
pub async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    within(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
    })
    .await;
}
