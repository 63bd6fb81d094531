//! One component asks another, `http://ID.spin.internal`, without leaving the process.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use async_trait::async_trait;
use http::{Request, Response};
use wasmtime_wasi_http::WasiBody;

use super::auth;
use super::client::Client;
use super::guest::{Guest, WeakGuest};
use super::problem::Problem;
use super::routes::Routes;
use crate::capabilities::outbound::Components;

/// What Spin tells a component about such a client.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// And about the route that was taken.
const ROUTE: &str = "/...";

/// The components with an HTTP trigger, by id. It keeps none of them: they hold what holds it.
pub struct Chain {
    guests: BTreeMap<String, WeakGuest>,
    routes: Routes<()>,
    client: Client,
}

impl Chain {
    pub fn new(guests: &BTreeMap<String, Guest>) -> anyhow::Result<Self> {
        let weak = |(id, guest): (&String, &Guest)| (id.clone(), guest.downgrade());
        let mut routes = Routes::default();
        routes.add(ROUTE, ())?;
        Ok(Self {
            guests: guests.iter().map(weak).collect(),
            routes,
            client: Client::new(CLIENT, CLIENT),
        })
    }
}

#[async_trait]
impl Components for Chain {
    /// Nobody's claims go with the request: what the asking component put there is dropped.
    async fn answer(&self, id: &str, mut request: Request<WasiBody>) -> Option<Response<WasiBody>> {
        let guest = self.guests.get(id)?.upgrade()?;
        let uri = request.uri().clone();
        let headers = request.headers_mut();
        auth::pass_on(headers, None);
        if let Some(found) = self.routes.find(uri.path()) {
            found.add_headers(headers, &uri, &self.client);
        }
        let answer = guest.answer(request).await;
        Some(answer.unwrap_or_else(Problem::into_response))
    }
}
