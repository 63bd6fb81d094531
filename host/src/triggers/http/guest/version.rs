//! One version of a component: everything that a newer one replaces.

use std::sync::Arc;

use anyhow::anyhow;
use praxis_wasi::State;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::{WasiBody, p2, p3};

use super::super::{Response, lanes};
use super::call::Ticket;
use super::worker::Instances;
use crate::runtime::component::Component;
use crate::runtime::life::{Life, Work};

/// A compiled component and its instances. Requests that it has taken end on it; its instances
/// hold it until the last of them is gone.
pub struct Version {
    life: Arc<Life>,
    /// One a lane: an instance stays with the runtime that made it.
    handlers: Box<[ProxyHandler<Instances>]>,
}

impl Version {
    /// Fails if the component exports neither `wasi:http/handler@0.3` nor
    /// `wasi:http/incoming-handler@0.2`.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let handlers = (0..=lanes::count()).map(|_| {
            let pre = proxy(component.pre().clone()).ok_or_else(|| {
                anyhow!(
                    "component {:?} has an HTTP route, but exports neither \
                     wasi:http/handler@0.3.0 nor wasi:http/incoming-handler@0.2",
                    component.manifest.id
                )
            })?;
            Ok(ProxyHandler::new(Instances::new(component, pre)))
        });
        Ok(Self {
            life: Arc::clone(component.life()),
            handlers: handlers.collect::<anyhow::Result<_>>()?,
        })
    }

    pub fn life(&self) -> &Arc<Life> {
        &self.life
    }

    pub fn has_instances(&self) -> bool {
        self.life.load().instances > 0
    }

    pub async fn answer(
        &self,
        request: http::Request<WasiBody>,
        ticket: Ticket,
    ) -> wasmtime::Result<Response> {
        let _request = self.life.begin(Work::Request);
        self.handlers[lanes::current()]
            .handle(ticket, request)
            .await
    }
}

fn proxy(pre: InstancePre<State>) -> Option<ProxyPre<State>> {
    match p3::bindings::ServicePre::new(pre.clone()) {
        Ok(pre) => Some(ProxyPre::P3(pre)),
        Err(_) => p2::bindings::ProxyPre::new(pre).ok().map(ProxyPre::P2),
    }
}
