//! Components that are called with events: `praxis:events/consumer`, and `batch-consumer`.

mod batch;
mod export;
mod one;

use std::sync::Arc;

use anyhow::bail;
use arc_swap::ArcSwap;
use async_trait::async_trait;

use self::batch::BatchConsumerPre;
use self::export::Export;
use self::one::ConsumerPre;
use super::component::Component;
use super::deployment::{Commit, Seat};
use super::life::Work;
use super::room::Unanswered;
pub use crate::capabilities::events::{Event, Publication};

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
    /// W3C trace context.
    pub traceparent: Option<String>,
    pub event: Event,
}

/// How the handling of one delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: release what it published, then store the offset.
    Done(Vec<Publication>),
    /// Not now: a retry was asked for, or the process has no room for one more instance.
    Retry(String),
    /// The component trapped or ran out of time. It may be its own fault, so it is not tried as
    /// often.
    Fault(String),
    /// Never: to the dead letters.
    Reject(String),
}

impl From<Unanswered> for Outcome {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Full(reason) => Self::Retry(reason),
            Unanswered::Fault(reason) => Self::Fault(reason),
        }
    }
}

/// A component, or in tests something simpler, that handles events.
#[async_trait]
pub trait Handler: Send + Sync {
    async fn handle(&self, delivery: &Delivery) -> Outcome;

    /// Whether a topic's events come to [`handle_batch`](Self::handle_batch).
    fn takes_batches(&self) -> bool {
        false
    }

    /// Handles events with one call; answers for each of them, in the same order. Nothing is
    /// published.
    async fn handle_batch(&self, deliveries: &[&Delivery]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            outcomes.push(self.handle(delivery).await);
        }
        outcomes
    }

    /// Which version of it handles now: kept with what it does not handle.
    fn version(&self) -> String {
        String::new()
    }
}

/// A component that exports `praxis:events/consumer`, or `batch-consumer`, or both. An event is
/// handled by the version that was live when its handling began: in a fresh instance, or where the
/// manifest says `instances = "reused"`, in one that has handled others before.
#[derive(Clone)]
pub struct Consumer(Arc<ArcSwap<Version>>);

/// What belongs to one version of the component.
struct Version {
    component: Component,
    exports: Exports,
}

enum Exports {
    One(Export<ConsumerPre>),
    Batch(Export<BatchConsumerPre>),
    /// Timers come to the first, topics' events to the second.
    Both(Export<ConsumerPre>, Export<BatchConsumerPre>),
}

impl Consumer {
    /// Fails if the component exports neither interface.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let version = Version::new(component)?;
        Ok(Self(Arc::new(ArcSwap::from_pointee(version))))
    }
}

impl Seat for Consumer {
    fn prepare(&self, component: &Component) -> anyhow::Result<Commit> {
        let next = Arc::new(Version::new(component)?);
        let seat = Arc::clone(&self.0);
        Ok(Box::new(move || seat.store(next)))
    }
}

impl Version {
    fn new(component: &Component) -> anyhow::Result<Self> {
        let one = ConsumerPre::new(component.pre().clone()).ok();
        let batch = BatchConsumerPre::new(component.pre().clone()).ok();
        let one = one.map(|pre| Export::new(component, pre));
        let batch = batch.map(|pre| Export::new(component, pre));
        let exports = match (one, batch) {
            (Some(one), Some(batch)) => Exports::Both(one, batch),
            (Some(one), None) => Exports::One(one),
            (None, Some(batch)) => Exports::Batch(batch),
            (None, None) => bail!(
                "component {:?} has an event trigger, but does not export praxis:events/consumer",
                component.manifest.id
            ),
        };
        Ok(Self {
            component: component.clone(),
            exports,
        })
    }

    fn batch(&self) -> Option<&Export<BatchConsumerPre>> {
        match &self.exports {
            Exports::Batch(batch) | Exports::Both(_, batch) => Some(batch),
            Exports::One(_) => None,
        }
    }
}

#[async_trait]
impl Handler for Consumer {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let version = self.0.load_full();
        let _event = version.component.life().begin(Work::Event);
        match &version.exports {
            Exports::One(one) | Exports::Both(one, _) => one
                .handle(delivery.into())
                .await
                .unwrap_or_else(Outcome::from),
            Exports::Batch(batch) => {
                let outcomes = batch::handle(batch, &[delivery]).await;
                outcomes.into_iter().next().expect("one is answered for")
            }
        }
    }

    fn takes_batches(&self) -> bool {
        self.0.load().batch().is_some()
    }

    async fn handle_batch(&self, deliveries: &[&Delivery]) -> Vec<Outcome> {
        let version = self.0.load_full();
        let _event = version.component.life().begin(Work::Event);
        if let Some(batch) = version.batch() {
            return batch::handle(batch, deliveries).await;
        }
        // A version that takes one at a time has taken the place of one that took many.
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            outcomes.push(self.handle(delivery).await);
        }
        outcomes
    }

    fn version(&self) -> String {
        self.0.load().component.sha256.to_string()
    }
}
