//! Publishes the events, a little ahead of those who handle them.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::plan::Planned;
use crate::wait;

const CHUNK_EVENTS: usize = 500;
/// Published and not handled: enough that every host has something to do, and less than mock
/// brokers keep.
pub const AHEAD_EVENTS_MAX: u64 = 10_000;
const SAVED_MS_MAX: u64 = 60_000;
/// How long nothing may happen at all.
const PROGRESS_MS_MAX: u64 = 90_000;
const COUNT_EVERY_MS: u64 = 200;

/// Saves all events, as fast as they are handled.
pub async fn generate(
    database: &Database,
    planned: &[Planned],
    mut handled: watch::Receiver<u64>,
) -> anyhow::Result<()> {
    let mut published = 0;
    for chunk in planned.chunks(CHUNK_EVENTS) {
        progress(&mut handled, published).await?;
        let within = Duration::from_millis(SAVED_MS_MAX);
        wait::until("the outbox takes events", within, async || {
            database.publish(chunk).await
        })
        .await?;
        published += chunk.len() as u64;
    }
    Ok(())
}

/// Counts what was handled until nobody asks any more. While the database is away, nothing was.
pub async fn count(database: Database, handled: watch::Sender<u64>) {
    while !handled.is_closed() {
        if let Ok(now) = database.handled().await {
            handled.send_if_modified(|before| {
                let is_new = *before != now;
                *before = now;
                is_new
            });
        }
        sleep(Duration::from_millis(COUNT_EVERY_MS)).await;
    }
}

/// Waits until so many events are handled that more may be published.
async fn progress(handled: &mut watch::Receiver<u64>, published: u64) -> anyhow::Result<()> {
    while *handled.borrow_and_update() + AHEAD_EVENTS_MAX < published {
        let within = Duration::from_millis(PROGRESS_MS_MAX);
        let changed = timeout(within, handled.changed()).await;
        let changed = changed
            .with_context(|| format!("no event was handled within {} s", within.as_secs()))?;
        changed.context("nobody counts what is handled")?;
    }
    Ok(())
}
