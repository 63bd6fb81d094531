//! Components that get what is published on Redis channels: `spin:redis/inbound-redis`.

use std::sync::Arc;

use praxis_wasi::State;

use super::component::Component;

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

/// A component behind `spin:redis/inbound-redis`: a fresh instance for each message.
#[derive(Clone)]
pub struct Subscriber(Arc<Inner>);

struct Inner {
    component: Component,
    pre: bindings::SubscriberPre<State>,
}

impl Subscriber {
    /// Fails if the component does not export the interface.
    pub fn new(component: &Component) -> wasmtime::Result<Self> {
        Ok(Self(Arc::new(Inner {
            component: component.clone(),
            pre: bindings::SubscriberPre::new(component.pre().clone())?,
        })))
    }

    /// The component's id.
    pub fn id(&self) -> &str {
        &self.0.component.manifest.id
    }

    /// Hands the message over; fails with the reason that the component gives, with its trap, or
    /// when its time for one event is up.
    pub async fn handle(&self, message: Vec<u8>) -> Result<(), String> {
        let limit = self.0.component.event_timeout();
        match tokio::time::timeout(limit, self.call(message)).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(spelled(error)),
            Ok(Err(trap)) => Err(format!("trapped: {:#}", trap.root_cause())),
            Err(_) => Err(format!("not done after {} ms", limit.as_millis())),
        }
    }

    async fn call(&self, message: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let mut store = self.0.component.store();
        let instance = self.0.pre.instantiate_async(&mut store).await?;
        store
            .run_concurrent(async |accessor| {
                instance
                    .spin_redis_inbound_redis()
                    .call_handle_message(accessor, message)
                    .await
            })
            .await?
    }
}

fn spelled(error: Error) -> String {
    match error {
        Error::InvalidAddress => "invalid-address".into(),
        Error::TooManyConnections => "too-many-connections".into(),
        Error::TypeError => "type-error".into(),
        Error::Other(reason) => reason,
    }
}
