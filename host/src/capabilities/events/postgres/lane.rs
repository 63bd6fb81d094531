//! One leased partition, read in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::driver::At;
use super::group::Membership;
use super::offset_column;
use super::reading::records;
use crate::capabilities::events::{Error, Partition, Received};

const RECORDS_MAX: usize = 64;

/// Completions that may wait for their commit while there is more to do.
const UNCOMMITTED_MAX: i64 = 16;

const RETRY_MS: u64 = 500;

/// The reader of one partition.
pub struct Lane {
    membership: Membership,
    at: At,
    topic: String,
    /// The offset to read next.
    position: i64,
    read: VecDeque<Received>,
    completed: i64,
    committed: i64,
    news: Arc<Notify>,
    revoked: CancellationToken,
    drops: mpsc::UnboundedSender<At>,
}

impl Lane {
    pub fn new(
        membership: Membership,
        at: At,
        committed: i64,
        news: Arc<Notify>,
        revoked: CancellationToken,
        drops: mpsc::UnboundedSender<At>,
    ) -> Self {
        let short = at.0.strip_prefix(&membership.prefix).unwrap_or(&at.0);
        Self {
            topic: short.to_owned(),
            membership,
            at,
            position: committed,
            read: VecDeque::new(),
            completed: committed,
            committed,
            news,
            revoked,
            drops,
        }
    }

    async fn fetch(&mut self) -> sqlx::Result<()> {
        let pool = &self.membership.pool;
        let read = records(pool, &self.topic, &self.at, self.position, RECORDS_MAX).await?;
        if let Some(last) = read.last() {
            self.position = offset_column(last.offset) + 1;
        }
        self.read.extend(read);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if self.committed == self.completed {
            return Ok(());
        }
        let completed = self.completed;
        let ours = self
            .membership
            .commit(&self.at.0, self.at.1, completed)
            .await
            .map_err(Error::unavailable)?;
        if !ours {
            self.revoked.cancel();
            return Err(Error::Lost);
        }
        self.committed = completed;
        Ok(())
    }
}

#[async_trait]
impl Partition for Lane {
    fn topic(&self) -> &str {
        &self.topic
    }

    fn index(&self) -> u32 {
        self.at.1.unsigned_abs()
    }

    async fn next(&mut self) -> Option<Received> {
        loop {
            if self.revoked.is_cancelled() {
                // Should it fail, they are delivered again.
                let _ = self.commit().await;
                return None;
            }
            if let Some(received) = self.read.pop_front() {
                return Some(received);
            }
            let fetched = self.fetch().await;
            let pause = match fetched {
                // What could not be committed may be the last that there is for long.
                Ok(()) if self.read.is_empty() => match self.commit().await {
                    Ok(()) | Err(Error::Lost) => None,
                    Err(Error::Unavailable(_) | Error::UnknownTopic(_)) => {
                        Some(Duration::from_millis(RETRY_MS))
                    }
                },
                Ok(()) => continue,
                Err(error) => {
                    tracing::debug!(%error, event.topic = self.topic, "could not read events");
                    Some(Duration::from_millis(RETRY_MS))
                }
            };
            let news = async {
                match pause {
                    None => self.news.notified().await,
                    Some(pause) => tokio::time::sleep(pause).await,
                }
            };
            self.revoked.run_until_cancelled(news).await;
        }
    }

    async fn complete(&mut self, offset: u64) -> Result<(), Error> {
        self.completed = self.completed.max(offset_column(offset) + 1);
        if self.read.is_empty() || self.completed - self.committed >= UNCOMMITTED_MAX {
            self.commit().await?;
        }
        Ok(())
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The driver may be gone: then the lease runs out.
        let _ = self.drops.send(self.at.clone());
    }
}
