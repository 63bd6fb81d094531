//! Components that get what is published on Redis channels: `spin:redis/inbound-redis`.

use std::sync::Arc;

use anyhow::anyhow;
use arc_swap::ArcSwap;
use praxis_wasi::State;
use wasmtime::Store;

use super::component::Component;
use super::deployment::{Commit, Seat};
use super::room::{self, Unanswered};
use crate::manifest::limits::Limits;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/spin/redis"],
        inline: "
            package praxis:host-subscriber;
            world subscriber {
                export spin:redis/inbound-redis@3.0.0;
            }
        ",
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

use bindings::spin::redis::redis::Error;

/// A component behind `spin:redis/inbound-redis`: a fresh instance for each message. A message is
/// handled by the version that was live when its handling began.
#[derive(Clone)]
pub struct Subscriber(Arc<ArcSwap<Version>>);

/// What a component says to a message.
type Answer = Result<(), Error>;

/// What belongs to one version of the component.
struct Version {
    component: Component,
    pre: bindings::SubscriberPre<State>,
}

impl Subscriber {
    /// Fails if the component does not export the interface.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let version = Version::new(component)?;
        Ok(Self(Arc::new(ArcSwap::from_pointee(version))))
    }

    /// The component's id.
    pub fn id(&self) -> String {
        self.0.load().component.manifest.id.clone()
    }

    /// What bounds its messages: the manifest's, whichever version is live.
    pub fn limits(&self) -> Limits {
        self.0.load().component.manifest.tool.praxis.limits.clone()
    }

    /// Hands the message over; fails with the reason that the component gives, with its trap, when
    /// its time for one event is up, or when the process has no room for one more instance.
    pub async fn handle(&self, message: Vec<u8>) -> Result<(), String> {
        let version = self.0.load_full();
        let answer = room::once(&version.component, &version.pre, |store, instance| {
            call(store, instance, message)
        });
        match answer.await {
            Ok(answer) => answer.map_err(spelled),
            Err(Unanswered::Full(reason) | Unanswered::Fault(reason)) => Err(reason),
        }
    }
}

impl Seat for Subscriber {
    fn prepare(&self, component: &Component) -> anyhow::Result<Commit> {
        let next = Arc::new(Version::new(component)?);
        let seat = Arc::clone(&self.0);
        Ok(Box::new(move || seat.store(next)))
    }
}

impl Version {
    fn new(component: &Component) -> anyhow::Result<Self> {
        let pre = bindings::SubscriberPre::new(component.pre().clone()).map_err(|_| {
            anyhow!(
                "component {:?} has a Redis trigger, but does not export \
                 spin:redis/inbound-redis@3.0.0",
                component.manifest.id
            )
        })?;
        Ok(Self {
            component: component.clone(),
            pre,
        })
    }
}

impl room::Linked for bindings::SubscriberPre<State> {
    type Instance = bindings::Subscriber;

    async fn instantiate(
        &self,
        store: &mut Store<State>,
    ) -> wasmtime::Result<bindings::Subscriber> {
        self.instantiate_async(store).await
    }
}

async fn call(
    mut store: Store<State>,
    instance: bindings::Subscriber,
    message: Vec<u8>,
) -> wasmtime::Result<Answer> {
    store
        .run_concurrent(async |accessor| {
            instance
                .spin_redis_inbound_redis()
                .call_handle_message(accessor, message)
                .await
        })
        .await?
}

fn spelled(error: Error) -> String {
    match error {
        Error::InvalidAddress => "invalid-address".into(),
        Error::TooManyConnections => "too-many-connections".into(),
        Error::TypeError => "type-error".into(),
        Error::Other(reason) => reason,
    }
}
