//! Components that are called once per event: `praxis:events/consumer`.

use async_trait::async_trait;

/// An event on its way to a component, or from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub key: String,
    pub stream_version: u64,
    /// UTF-8 JSON.
    pub data: String,
}

/// An event that arrived, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    pub source: String,
    pub time_ms: u64,
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    pub attempt: u32,
    pub event: Event,
}

/// What a handler published, kept until it is known to have succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub topic: String,
    pub event: Event,
}

/// How the handling of one delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: release what it published, then store the offset.
    Done(Vec<Publication>),
    /// Not now: a retry was asked for, or the component trapped or ran out of time.
    Retry(String),
    /// Never: to the dead letters.
    Reject(String),
}

/// A component, or in tests something simpler, that handles events one at a time.
#[async_trait]
pub trait Handler: Send + Sync {
    async fn handle(&self, delivery: &Delivery) -> Outcome;
}
