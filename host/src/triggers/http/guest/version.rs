//! One version of a component: everything that a newer one replaces.

use std::sync::Arc;

use anyhow::anyhow;
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::{WasiBody, p2, p3};

use super::super::Response;
use super::worker::Instances;
use crate::runtime::component::Component;
use crate::runtime::life::{Life, Work};

/// A compiled component and its instances. Requests that it has taken end on it; its instances
/// hold it until the last of them is gone.
pub struct Version {
    life: Arc<Life>,
    handler: ProxyHandler<Instances>,
}

impl Version {
    /// Fails if the component exports neither `wasi:http/handler@0.3` nor
    /// `wasi:http/incoming-handler@0.2`.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let pre = component.pre().clone();
        let pre = match p3::bindings::ServicePre::new(pre.clone()) {
            Ok(pre) => ProxyPre::P3(pre),
            Err(_) => ProxyPre::P2(p2::bindings::ProxyPre::new(pre).map_err(|_| {
                anyhow!(
                    "component {:?} has an HTTP route, but exports neither \
                     wasi:http/handler@0.3.0 nor wasi:http/incoming-handler@0.2",
                    component.manifest.id
                )
            })?),
        };
        Ok(Self {
            life: Arc::clone(component.life()),
            handler: ProxyHandler::new(Instances::new(component.clone(), pre)),
        })
    }

    pub async fn answer(&self, request: http::Request<WasiBody>) -> wasmtime::Result<Response> {
        let _request = self.life.begin(Work::Request);
        self.handler.handle((), request).await
    }
}
