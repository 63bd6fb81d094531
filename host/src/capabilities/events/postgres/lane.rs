//! One leased partition, read in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver::At;
use super::group::Membership;
use super::offset_column;
use super::tails::{BYTES_MAX, RECORDS_MAX, Read, Tails};
use crate::capabilities::events::{Error, Partition, Progress, Received};

/// Completions that may wait for their commit, and how long.
const UNCOMMITTED_MAX: u64 = 256;
const UNCOMMITTED_MS_MAX: u64 = 500;

const RETRY_MS: u64 = 500;

/// The reader of one partition.
pub struct Lane {
    membership: Membership,
    at: At,
    topic: String,
    /// The offset to read next.
    position: i64,
    /// Offsets before this one were there: if nothing is found, they are gone.
    known_end: i64,
    /// Records that were gone before they were read.
    missed: u64,
    read: VecDeque<Received>,
    /// What was asked for: it comes, also if whoever waits for it stops waiting.
    fetching: Option<JoinHandle<Read>>,
    /// There was no more, and there is no news since.
    is_at_end: bool,
    /// How far the group had got.
    before: Progress,
    completed: Progress,
    committed: Progress,
    committed_at: Instant,
    tails: Tails,
    news: Arc<News>,
    revoked: CancellationToken,
    lost: CancellationToken,
    drops: mpsc::UnboundedSender<Dropped>,
}

/// What a lane is told.
#[derive(Default)]
pub struct News {
    told: Notify,
    /// Records before this offset are there.
    end: AtomicI64,
    /// There may be more, nobody knows how many.
    is_uncertain: AtomicBool,
}

impl News {
    pub fn tell(&self, end: Option<i64>) {
        match end {
            Some(end) => _ = self.end.fetch_max(end, Ordering::Relaxed),
            None => self.is_uncertain.store(true, Ordering::Relaxed),
        }
        self.told.notify_one();
    }

    async fn come(&self) {
        self.told.notified().await;
    }

    /// None: whoever needs to know looks.
    fn end(&self) -> Option<i64> {
        let is_uncertain = self.is_uncertain.swap(false, Ordering::Relaxed);
        (!is_uncertain).then(|| self.end.load(Ordering::Relaxed))
    }
}

/// A lane that is not read any more.
pub struct Dropped {
    pub at: At,
    /// How far it got, if that is not committed.
    pub completed: Option<Progress>,
}

impl Lane {
    pub fn new(
        membership: Membership,
        at: At,
        (before, known_end): (Progress, i64),
        (tails, news): (Tails, Arc<News>),
        revoked: CancellationToken,
        lost: CancellationToken,
        drops: mpsc::UnboundedSender<Dropped>,
    ) -> Self {
        let short = at.0.strip_prefix(&membership.prefix).unwrap_or(&at.0);
        Self {
            topic: short.to_owned(),
            membership,
            at,
            position: offset_column(before.next),
            known_end,
            missed: 0,
            read: VecDeque::new(),
            fetching: None,
            is_at_end: false,
            completed: before.clone(),
            committed: before.clone(),
            before,
            committed_at: Instant::now(),
            tails,
            news,
            revoked,
            lost,
            drops,
        }
    }

    fn fetch(&self) -> JoinHandle<Read> {
        let end = self.news.end().filter(|end| *end > self.position);
        let read = self.tails.read(&self.topic, &self.at, self.position, end);
        tokio::spawn(read)
    }

    fn take(&mut self, read: &[Received]) {
        let bytes: usize = read.iter().map(|read| read.record.event.data.len()).sum();
        self.is_at_end = read.len() < RECORDS_MAX && bytes < BYTES_MAX;
        // Offsets have no gaps: what is not there any more, retention has taken.
        let first = read.first().map(|first| offset_column(first.offset));
        let first = first.unwrap_or(self.known_end).max(self.position);
        let (from, to) = (self.position.unsigned_abs(), first.unsigned_abs());
        self.missed += self.before.left(from, to);
        self.position = match read.last() {
            Some(last) => offset_column(last.offset) + 1,
            None => first,
        };
        self.read.extend(read.iter().cloned());
    }

    /// Waits for news, or for the time to commit.
    async fn idle(&mut self) {
        if self.committed == self.completed {
            self.news.come().await;
            self.is_at_end = false;
            return;
        }
        let due = self.committed_at + Duration::from_millis(UNCOMMITTED_MS_MAX);
        match tokio::time::timeout_at(due, self.news.come()).await {
            Ok(()) => self.is_at_end = false,
            Err(_) => self.commit_or_log().await,
        }
    }

    async fn commit_or_log(&mut self) {
        // Should it fail, it is tried again; if there is no again, they are delivered again.
        if let Err(error) = self.commit().await {
            tracing::debug!(%error, event.topic = self.topic, "could not commit what is done");
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if self.committed == self.completed {
            return Ok(());
        }
        self.committed_at = Instant::now();
        let completed = self.completed.clone();
        let committing = self.membership.commit(&self.at.0, self.at.1, &completed);
        // A database that does not answer does not keep what is another's by now.
        let ours = self
            .lost
            .run_until_cancelled(committing)
            .await
            .ok_or(Error::Lost)?
            .map_err(Error::unavailable)?;
        if !ours {
            self.lost.cancel();
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

    fn progress(&self) -> &Progress {
        &self.before
    }

    async fn next(&mut self) -> Option<Received> {
        consume_budget().await;
        let revoked = self.revoked.clone();
        loop {
            if revoked.is_cancelled() {
                self.commit_or_log().await;
                return None;
            }
            if let Some(received) = self.read.pop_front() {
                return Some(received);
            }
            if self.is_at_end {
                revoked.run_until_cancelled(self.idle()).await;
                continue;
            }
            let fetched = match &mut self.fetching {
                Some(fetching) => revoked.run_until_cancelled(fetching).await,
                None => {
                    self.fetching = Some(self.fetch());
                    continue;
                }
            };
            let Some(fetched) = fetched else {
                continue;
            };
            self.fetching = None;
            let fault: Box<dyn std::error::Error + Send + Sync> = match fetched {
                Ok(Ok(read)) => {
                    self.take(&read);
                    continue;
                }
                Ok(Err(error)) => error.into(),
                Err(error) => error.into(),
            };
            tracing::debug!(fault, event.topic = self.topic, "could not read events");
            let pause = tokio::time::sleep(Duration::from_millis(RETRY_MS));
            revoked.run_until_cancelled(pause).await;
        }
    }

    async fn complete(&mut self, progress: Progress) -> Result<(), Error> {
        self.completed = progress;
        let is_due = self.committed_at.elapsed() >= Duration::from_millis(UNCOMMITTED_MS_MAX);
        let waiting = self
            .completed
            .count()
            .saturating_sub(self.committed.count());
        if is_due || waiting >= UNCOMMITTED_MAX {
            self.commit().await?;
        }
        Ok(())
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }

    fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    fn missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The driver may be gone: then the lease runs out.
        let _ = self.drops.send(Dropped {
            at: self.at.clone(),
            completed: (self.completed != self.committed).then(|| self.completed.clone()),
        });
    }
}
