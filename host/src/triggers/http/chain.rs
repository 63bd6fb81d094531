//! One component asks another, `http://ID.spin.internal`, without leaving the process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use async_trait::async_trait;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use wasmtime_wasi_http::WasiBody;

use super::auth;
use super::guest::Guest;
use super::problem::Problem;
use super::routes::Found;
use crate::capabilities::outbound::Components;

/// What Spin tells a component about such a client.
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// And about the route that was taken.
const ROUTE: &str = "/...";

/// The components with an HTTP trigger, by id.
pub struct Chain(BTreeMap<String, Guest>);

impl Chain {
    pub fn new(guests: BTreeMap<String, Guest>) -> Self {
        Self(guests)
    }
}

#[async_trait]
impl Components for Chain {
    /// Nobody's claims go with the request: what the asking component put there is dropped.
    async fn answer(&self, id: &str, mut request: Request<WasiBody>) -> Option<Response<WasiBody>> {
        let guest = self.0.get(id)?;
        let path = request.uri().path().to_owned();
        let authority = request
            .uri()
            .authority()
            .map(|place| place.host().to_owned());
        let rest = request.uri().path_and_query().cloned();
        *request.uri_mut() = rest.map_or_else(|| Uri::from_static("/"), Uri::from);
        let uri = request.uri().clone();
        let headers = request.headers_mut();
        if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok()) {
            headers.insert(HOST, host);
        }
        auth::pass_on(headers, None);
        let found = Found {
            target: &(),
            route: ROUTE,
            rest: path,
            names: Vec::new(),
        };
        found.add_headers(headers, &uri, CLIENT);
        let answer = guest.answer(request).await;
        Some(answer.unwrap_or_else(Problem::into_response))
    }
}
