//! One assigned partition: what the client read ahead of it, in order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::driver::At;
use super::rebalance::Context;
use super::{Options, message};
use crate::capabilities::events::{Error, Partition, Progress, Received};

const ERROR_PAUSE_MS: u64 = 100;

/// A lane that is not read any more.
#[derive(Debug)]
pub struct Dropped {
    pub at: At,
    pub lane: u64,
}

/// The reader of one partition. What it does not take stays with the client, which then reads no
/// further ahead.
pub struct Lane {
    pub number: u64,
    pub options: Arc<Options>,
    pub account: Arc<Account>,
    /// How far the group had got.
    pub progress: Progress,
    pub at: At,
    /// The topic's name without the prefix.
    pub topic: String,
    pub records: StreamPartitionQueue<Context>,
    pub revoked: CancellationToken,
    pub lost: CancellationToken,
    pub drops: mpsc::UnboundedSender<Dropped>,
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
        &self.progress
    }

    async fn next(&mut self) -> Option<Received> {
        consume_budget().await;
        while !self.revoked.is_cancelled() {
            let read = match self.records.recv().now_or_never() {
                Some(read) => read,
                None => {
                    self.revoked
                        .run_until_cancelled(self.records.recv())
                        .await?
                }
            };
            match read {
                Ok(message) => return Some(message::read(&self.options, &message)),
                Err(error) => {
                    tracing::debug!(%error, event.topic = self.topic, "could not read events");
                    let pause = tokio::time::sleep(Duration::from_millis(ERROR_PAUSE_MS));
                    self.revoked.run_until_cancelled(pause).await;
                }
            }
        }
        None
    }

    async fn complete(&mut self, progress: Progress) -> Result<(), Error> {
        self.account.tell(progress)
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }

    fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The driver may be gone: then there is nothing to read again.
        let _ = self.drops.send(Dropped {
            at: self.at.clone(),
            lane: self.number,
        });
    }
}
