//! An interface for events that a component exports, called within its limits.

use praxis_wasi::State;
use tokio::time::timeout;
use wasmtime::{AsContextMut as _, Store};

use super::Outcome;
use crate::runtime::component::Component;
use crate::runtime::room;
use crate::runtime::spare::{Instance, Spares};

/// An interface that is called with events.
pub trait Interface: room::Linked {
    type Given: Send;
    type Answer: Send;

    /// Gives a new instance what it needs beside its grants.
    fn furnish(state: &mut State);

    fn call(
        store: &mut Store<State>,
        exports: &Self::Instance,
        given: Self::Given,
    ) -> impl Future<Output = wasmtime::Result<Self::Answer>> + Send;
}

/// What a version exports, and the instances of it that are kept.
pub struct Export<I: Interface> {
    component: Component,
    pre: I,
    spares: Spares<I::Instance>,
}

impl<I: Interface> Export<I>
where
    I::Instance: Sync,
{
    pub fn new(component: &Component, pre: I) -> Self {
        Self {
            component: component.clone(),
            pre,
            spares: Spares::new(component.manifest.tool.praxis.events_per_instance()),
        }
    }

    /// What the component answers, or why it does not.
    pub async fn handle(&self, given: I::Given) -> Result<I::Answer, Outcome> {
        let mut instance = self.instance().await?;
        self.component.refill(instance.store.as_context_mut());
        let called = I::call(&mut instance.store, &instance.exports, given);
        match timeout(self.component.event_timeout(), called).await {
            Ok(Ok(answer)) => {
                self.spares.put_back(instance);
                Ok(answer)
            }
            Ok(Err(trap)) => Err(trapped(&trap)),
            Err(_) => Err(self.expired()),
        }
    }

    /// One that is kept, or a fresh one as soon as there is room. The time to wait for room is not
    /// the component's, but that of its instantiation is.
    async fn instance(&self) -> Result<Instance<I::Instance>, Outcome> {
        if let Some(instance) = self.spares.take() {
            return Ok(instance);
        }
        let limit = self.component.queue_timeout() + self.component.event_timeout();
        match timeout(limit, room::begin(&self.component, &self.pre)).await {
            Ok(Ok((mut store, exports))) => {
                I::furnish(store.data_mut());
                Ok(Instance::fresh(store, exports))
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
