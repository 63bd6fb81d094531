//! Components that are called once per event: `praxis:events/consumer`.

use std::sync::Arc;

use anyhow::anyhow;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::time::timeout;
use wasmtime::component::InstancePre;
use wasmtime::{AsContextMut as _, Store};

use super::component::Component;
use super::deployment::{Commit, Seat};
use super::life::Work;
use super::room;
use super::spare::{self, Spares};
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

    /// Which version of it handles now: kept with what it does not handle.
    fn version(&self) -> String {
        String::new()
    }
}

/// A component behind `praxis:events/consumer`. An event is handled by the version that was live when
/// its handling began: in a fresh instance, or where the manifest says `instances = "reused"`, in one
/// that has handled others before.
#[derive(Clone)]
pub struct Consumer(Arc<ArcSwap<Version>>);

type Instance = spare::Instance<bindings::Consumer>;

/// What belongs to one version of the component.
struct Version {
    component: Component,
    pre: bindings::ConsumerPre<State>,
    spares: Spares<bindings::Consumer>,
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
            spares: Spares::new(component.manifest.tool.praxis.events_per_instance()),
        })
    }

    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let mut instance = match self.instance().await {
            Ok(instance) => instance,
            Err(outcome) => return outcome,
        };
        let handled = call(&self.component, &mut instance, delivery);
        match timeout(self.component.event_timeout(), handled).await {
            Ok(Ok(outcome)) => {
                self.spares.put_back(instance);
                outcome
            }
            Ok(Err(trap)) => trapped(&trap),
            Err(_) => self.expired(),
        }
    }

    /// One that is kept, or as soon as there is room a fresh one. The time to wait for room is not
    /// the component's, but what it does when it is instantiated is.
    async fn instance(&self) -> Result<Instance, Outcome> {
        if let Some(instance) = self.spares.take() {
            return Ok(instance);
        }
        let limit = self.component.queue_timeout() + self.component.event_timeout();
        match timeout(limit, room::begin(&self.component, &self.pre)).await {
            Ok(Ok(begun)) => {
                let mut instance = Instance::fresh(begun);
                instance.store.data_mut().attach(Publications::default());
                Ok(instance)
            }
            Ok(Err(error)) if room::is_full(&error) => Err(Outcome::Retry(error.to_string())),
            Ok(Err(trap)) => Err(trapped(&trap)),
            Err(_) => Err(self.expired()),
        }
    }

    fn expired(&self) -> Outcome {
        let limit = self.component.event_timeout();
        Outcome::Fault(format!("not done after {} ms", limit.as_millis()))
    }
}

fn trapped(trap: &wasmtime::Error) -> Outcome {
    Outcome::Fault(format!("trapped: {:#}", trap.root_cause()))
}

impl room::Linked for bindings::ConsumerPre<State> {
    type Instance = bindings::Consumer;

    async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<bindings::Consumer> {
        self.instantiate_async(store).await
    }
}

async fn call(
    component: &Component,
    instance: &mut Instance,
    delivery: &Delivery,
) -> wasmtime::Result<Outcome> {
    let Instance { store, exports, .. } = instance;
    component.refill(store.as_context_mut());
    let delivery = wit::Delivery::from(delivery);
    let answer = store
        .run_concurrent(async |accessor| {
            let consumer = exports.praxis_events_consumer();
            consumer.call_handle(accessor, delivery).await
        })
        .await??;
    // Taken whatever the answer is: they must not be there when the next event is handled.
    let (publications, _) = store.data_mut().part::<Publications>();
    let publications = std::mem::take(&mut publications.0);
    Ok(match answer {
        Ok(()) => Outcome::Done(publications),
        Err(wit::Failure::Retry(reason)) => Outcome::Retry(reason),
        Err(wit::Failure::Reject(reason)) => Outcome::Reject(reason),
    })
}

#[async_trait]
impl Handler for Consumer {
    async fn handle(&self, delivery: &Delivery) -> Outcome {
        let version = self.0.load_full();
        let _event = version.component.life().begin(Work::Event);
        version.handle(delivery).await
    }

    fn version(&self) -> String {
        self.0.load().component.sha256.to_string()
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
