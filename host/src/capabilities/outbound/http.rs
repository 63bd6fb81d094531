//! Outbound HTTP requests: `wasi:http` is linked into every component, so each request is asked.

use std::sync::Arc;

use praxis_wasi::State;
use wasmtime::component::Linker;

use super::Outbound;
use crate::capabilities::Capability;
use crate::manifest::Component;

/// The capability: `attach` lets an instance's requests through where its component has a grant.
/// An instance that it never sees cannot send any.
pub struct Http(Arc<Outbound>);

impl Http {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self(outbound)
    }
}

impl Capability for Http {
    /// None: the WASI linker has them.
    fn interfaces(&self) -> &'static [&'static str] {
        &[]
    }

    fn is_granted(&self, component: &Component) -> bool {
        self.0.of(component).grants_any("http")
    }

    fn link(&self, _: &mut Linker<State>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn attach(&self, component: &Component, state: &mut State) {
        let grants = self.0.of(component);
        let id = component.id.clone();
        state.allow_requests(Arc::new(move |uri| {
            match grants.allow("http", &uri.to_string()) {
                Ok(()) => true,
                Err(refused) => {
                    tracing::warn!(component = id, %refused, "an outbound request was refused");
                    false
                }
            }
        }));
    }
}
