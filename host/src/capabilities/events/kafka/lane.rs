//! One assigned partition: records that the driver passed on, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rdkafka::consumer::Consumer as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::driver::{At, Membership};
use crate::capabilities::events::{Error, Partition, Received};

/// Records that may wait in a lane before its partition is paused.
pub const WAITING_MAX: usize = 256;

/// Records that may be left in a paused lane when its partition is resumed.
const WAITING_LOW: usize = 64;

/// What a lane tells the driver.
#[derive(Debug)]
pub enum Told {
    /// It has room again.
    Low(At),
    /// It was dropped.
    Dropped(At),
}

/// The reader of one partition.
pub struct Lane {
    pub consumer: Arc<Membership>,
    pub at: At,
    /// The topic's name without the prefix.
    pub topic: String,
    pub records: mpsc::UnboundedReceiver<Received>,
    pub waiting: Arc<AtomicUsize>,
    pub revoked: CancellationToken,
    pub told: mpsc::UnboundedSender<Told>,
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
        if self.revoked.is_cancelled() {
            return None;
        }
        let received = self.revoked.run_until_cancelled(self.records.recv());
        let received = received.await??;
        if self.waiting.fetch_sub(1, Ordering::Relaxed) == WAITING_LOW + 1 {
            // The driver may be gone: then there is nothing to resume.
            let _ = self.told.send(Told::Low(self.at.clone()));
        }
        Some(received)
    }

    async fn complete(&mut self, offset: u64) -> Result<(), Error> {
        let offset = i64::try_from(offset).map_err(Error::unavailable)?;
        // Kept by the client, which commits it every second, and when the partition is revoked.
        self.consumer
            .store_offset(&self.at.0, self.at.1, offset)
            .map_err(|error| {
                tracing::debug!(%error, "could not store an offset");
                Error::Lost
            })
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.told.send(Told::Dropped(self.at.clone()));
    }
}
