//! Components that are called once per event: `praxis:events/consumer`.

use std::sync::Arc;

use anyhow::anyhow;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::component::Component;
use super::deployment::{Commit, Seat};
use super::room::{self, Unanswered};
use crate::capabilities::events::producer::Publications;
pub use crate::capabilities::events::{Event, Publication};
use praxis_wasi::State;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/events"],
        inline: "
            package praxis:host-consumer;
            world consumer {
                export praxis:events/consumer@0.1.0;
            }
        ",
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

use bindings::exports::praxis::events::consumer as wit;

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

/// A component, or in tests something simpler, that handles events one at a time.
#[async_trait]
pub trait Handler: Send + Sync {
    async fn handle(&self, delivery: &Delivery) -> Outcome;
}

/// A component behind `praxis:events/consumer`: a fresh instance for each event. An event is handled
/// by the version that was live when its handling began.
#[derive(Clone)]
pub struct Consumer(Arc<ArcSwap<Version>>);

/// What belongs to one version of the component.
struct Version {
    component: Component,
    pre: bindings::ConsumerPre<State>,
}

impl Consumer {
    /// Fails if the component does not export the interface.
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
        let pre: InstancePre<State> = component.pre().clone();
        let pre = bindings::ConsumerPre::new(pre).map_err(|_| {
            anyhow!(
                "component {:?} has an event trigger, but does not export praxis:events/consumer",
                component.manifest.id
            )
        })?;
        Ok(Self {
            component: component.clone(),
            pre,
        })
    }
}

impl room::Linked for bindings::ConsumerPre<State> {
    type Instance = bindings::Consumer;

    async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<bindings::Consumer> {
        self.instantiate_async(store).await
    }
}

async fn call(
    mut store: Store<State>,
    instance: bindings::Consumer,
    delivery: &Delivery,
) -> wasmtime::Result<Outcome> {
    store.data_mut().attach(Publications::default());
    let delivery = wit::Delivery::from(delivery);
    let answer = store
        .run_concurrent(async |accessor| {
            instance
                .praxis_events_consumer()
                .call_handle(accessor, delivery)
                .await
        })
        .await??;
    Ok(match answer {
        Ok(()) => {
            let published = store.data_mut().detach::<Publications>();
            Outcome::Done(published.unwrap_or_default().0)
        }
        Err(wit::Failure::Retry(reason)) => Outcome::Retry(reason),
        Err(wit::Failure::Reject(reason)) => Outcome::Reject(reason),
    })
}

#[async_trait]
impl Handler for Consumer {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let version = self.0.load_full();
        let answer = room::once(&version.component, &version.pre, |store, instance| {
            call(store, instance, delivery)
        });
        match answer.await {
            Ok(outcome) => outcome,
            Err(Unanswered::Full(reason)) => Outcome::Retry(reason),
            Err(Unanswered::Fault(reason)) => Outcome::Fault(reason),
        }
    }
}

impl From<&Delivery> for wit::Delivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.clone(),
            source: delivery.source.clone(),
            time_ms: delivery.time_ms,
            topic: delivery.topic.clone(),
            partition: delivery.partition,
            offset: delivery.offset,
            attempt: delivery.attempt,
            event: bindings::praxis::events::types::Event {
                kind: delivery.event.kind.clone(),
                key: delivery.event.key.clone(),
                stream_version: delivery.event.stream_version,
                data: delivery.event.data.clone(),
            },
        }
    }
}
