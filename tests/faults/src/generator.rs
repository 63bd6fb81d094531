//! Publishes the events, as many as the script allows.

use std::time::Duration;

use anyhow::Context as _;
use praxis_tests::wait;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::database::Database;
use crate::plan::Planned;

const CHUNK_EVENTS: usize = 500;
const SAVED_MS_MAX: u64 = 60_000;
const COUNT_EVERY_MS: u64 = 100;

/// Saves the events in their order. How many may be there is `allowed`; once nobody says any more,
/// all of them.
pub async fn generate(
    database: &Database,
    planned: &[Planned],
    mut allowed: watch::Receiver<usize>,
) -> anyhow::Result<()> {
    let mut published = 0;
    while published < planned.len() {
        let is_closed = allowed
            .wait_for(|allowed| *allowed > published)
            .await
            .is_err();
        let allowed = if is_closed {
            planned.len()
        } else {
            *allowed.borrow()
        };
        let end = allowed.min(published + CHUNK_EVENTS).min(planned.len());
        let chunk = &planned[published..end];
        let within = Duration::from_millis(SAVED_MS_MAX);
        let saved = wait::until("the outbox takes events", within, async || {
            database.publish(chunk).await
        });
        saved
            .await
            .with_context(|| format!("could not publish events from {published} on"))?;
        published = end;
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
