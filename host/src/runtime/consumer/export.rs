//! An interface for events that a component exports, called within its limits.

use praxis_wasi::State;
use wasmtime::{AsContextMut as _, Store};

use crate::runtime::component::{self, Component};
use crate::runtime::room::{self, Unanswered};
use crate::runtime::spare::{Answered, Instance, Spares};

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
    ) -> impl Future<Output = wasmtime::Result<Answered<Self::Answer>>> + Send;
}

/// What a version exports, and the instances of it that are kept.
pub struct Export<I: Interface> {
    component: Component,
    pre: I,
    spares: Spares<I::Instance>,
}

impl<I: Interface> Export<I> {
    pub fn new(component: &Component, pre: I) -> Self {
        Self {
            component: component.clone(),
            pre,
            spares: Spares::new(component.manifest.tool.praxis.events_per_instance()),
        }
    }

    /// What the component answers, or why it does not.
    pub async fn handle(&self, given: I::Given) -> Result<I::Answer, Unanswered> {
        let mut instance = self.instance().await?;
        self.component.refill(instance.store.as_context_mut());
        let rest = component::rest(instance.store.data_mut());
        let called = I::call(&mut instance.store, &instance.exports, given);
        let answered = room::in_time(&self.component, &rest, called).await?;
        if answered.is_at_rest {
            self.spares.put_back(instance);
        }
        Ok(answered.answer)
    }

    /// One that is kept, or a fresh one as soon as there is room.
    async fn instance(&self) -> Result<Instance<I::Instance>, Unanswered> {
        if let Some(instance) = self.spares.take() {
            return Ok(instance);
        }
        let (mut store, exports) = room::begin_event(&self.component, &self.pre).await?;
        I::furnish(store.data_mut());
        Ok(Instance::fresh(store, exports))
    }
}
