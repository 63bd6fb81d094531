//! A replay: what lies before the record that asks for it is read again.

mod marks;
pub mod request;

use std::collections::VecDeque;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Pace;
use crate::capabilities::events::{Broker, Error, Received};
use crate::triggers::backoff::backoff;

pub use marks::Marks;

const CHUNK_RECORDS_MAX: usize = 256;

/// A partition, read again up to a mark.
pub struct Replay {
    broker: Arc<dyn Broker>,
    topic: String,
    partition: u32,
    pace: Pace,
    /// The offset of the record that asked: what lies before it is read.
    pub mark: u64,
    /// What keeps the mark from counting as finished meanwhile.
    pub held: u64,
    from: u64,
    read: VecDeque<Received>,
    reading: Option<BoxFuture<'static, Vec<Received>>>,
    is_over: bool,
}

impl Replay {
    pub fn new(
        broker: Arc<dyn Broker>,
        pace: Pace,
        asked: &Received,
        from: u64,
        held: u64,
    ) -> Self {
        Self {
            broker,
            topic: asked.topic.clone(),
            partition: asked.partition,
            pace,
            mark: asked.offset,
            held,
            from,
            read: VecDeque::new(),
            reading: None,
            is_over: false,
        }
    }

    /// The next record, however long the broker takes to come back; `None` at the mark. Dropped
    /// before it answers, it goes on where it was when it is called again.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(received) = self.read.pop_front() {
                self.from = received.offset + 1;
                self.is_over |= received.offset >= self.mark;
                if !self.is_over {
                    return Some(received);
                }
            }
            if self.is_over {
                return None;
            }
            let reading = match &mut self.reading {
                Some(reading) => reading,
                idle => idle.insert(
                    chunk(
                        Arc::clone(&self.broker),
                        self.topic.clone(),
                        self.partition,
                        self.from,
                        self.pace,
                    )
                    .boxed(),
                ),
            };
            let read = reading.await;
            self.reading = None;
            // The mark itself is there: only an empty chunk can be short of it.
            self.is_over = read.is_empty();
            self.read = read.into();
        }
    }
}

async fn chunk(
    broker: Arc<dyn Broker>,
    topic: String,
    partition: u32,
    from: u64,
    pace: Pace,
) -> Vec<Received> {
    let mut pauses = backoff(pace.first_ms, pace.ms_max);
    loop {
        let read = broker
            .read(&topic, partition, from, CHUNK_RECORDS_MAX)
            .await;
        match read {
            Ok(read) => return read,
            Err(Error::UnknownTopic(topic)) => {
                tracing::error!(event.topic = topic, "what was to be replayed is gone");
                return Vec::new();
            }
            Err(error @ (Error::Unavailable(_) | Error::Refused(_) | Error::Lost)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    event.topic = topic,
                    event.partition = partition,
                    "a replay waits for the broker"
                )
            }
        }
        tokio::time::sleep(pauses()).await;
    }
}
