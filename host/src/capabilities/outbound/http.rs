//! Outbound HTTP requests: `wasi:http` is linked into every component, so each request is asked.
//!
//! Redirects are not followed: a component that wants to has to ask again, and is asked again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use http::header::{HOST, HeaderValue};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use praxis_wasi::{Sender, Sending, State};
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};

use super::client::Client;
use super::places::Places;
use super::{Authorities, Grants, Networks, Outbound};
use crate::capabilities::Capability;
use crate::manifest::Component;
use crate::manifest::grant::Target;

/// The components of the application that answer requests, so that one may ask another without
/// leaving the process: `http://ID.spin.internal`.
#[async_trait]
pub trait Components: Send + Sync {
    /// The answer of the component with this id; `None` if there is none that answers requests.
    async fn answer(&self, id: &str, request: Request<WasiBody>) -> Option<Response<WasiBody>>;
}

/// Whether the host itself answers at this path: no component asks it, since what it answers may
/// depend on who asks from this machine.
pub type HostsOwn = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Where the application listens.
#[derive(Clone)]
struct Own {
    address: SocketAddr,
    hosts: HostsOwn,
}

/// The capability: `attach` lets an instance's requests through where its component has a grant.
/// An instance that it never sees, as those in the sandbox, cannot send any.
pub struct Http {
    outbound: Arc<Outbound>,
    shared: Arc<Shared>,
}

impl Http {
    /// `blocked` networks are out of reach, whatever is granted. A server of `https` shows a
    /// certificate of one of the `authorities`.
    pub fn new(outbound: Arc<Outbound>, blocked: Networks, authorities: Authorities) -> Self {
        let shared = Shared {
            client: Client::new(blocked, authorities, outbound.limits.connections_max()),
            places: Places::new(&outbound.limits),
            own: RwLock::default(),
            components: RwLock::default(),
        };
        Self {
            outbound,
            shared: Arc::new(shared),
        }
    }

    /// Where the application itself listens: requests to `http://self.alt` go there, and none goes
    /// to a path that is the host's.
    pub fn set_own(&self, address: SocketAddr, hosts: HostsOwn) {
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        *write(&self.shared.own) = Some(Own { address, hosts });
    }

    /// Who answers requests to `http://ID.spin.internal`.
    pub fn set_components(&self, components: Arc<dyn Components>) {
        *write(&self.shared.components) = Some(components);
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Who listens on every address is reached on the loopback one.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

impl Capability for Http {
    /// None: the WASI linker has them.
    fn interfaces(&self) -> &'static [&'static str] {
        &[]
    }

    /// Of every component, so that the log says which request was refused also to one without any
    /// grant.
    fn is_granted(&self, _: &Component) -> bool {
        true
    }

    fn link(&self, _: &mut Linker<State>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.send_requests_through(Arc::new(Granted {
            component: component.id.clone(),
            grants: self.outbound.of(component),
            shared: Arc::clone(&self.shared),
        }));
    }
}

/// What all instances share.
struct Shared {
    client: Client,
    places: Places,
    own: RwLock<Option<Own>>,
    components: RwLock<Option<Arc<dyn Components>>>,
}

/// One instance's part.
struct Granted {
    component: String,
    grants: Arc<Grants>,
    shared: Arc<Shared>,
}

impl Sender for Granted {
    fn send(&self, request: Request<WasiBody>, options: RequestOptions) -> Sending {
        let target = self.target(request.uri());
        let component = self.component.clone();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let target = target?;
            if let Some(id) = target.component() {
                let authority = target.authority();
                let mut request = aimed(request, Scheme::HTTP, &authority)?;
                let host = HeaderValue::try_from(authority);
                let host = host.map_err(|_| Error::HttpRequestUriInvalid)?;
                request.headers_mut().insert(HOST, host);
                return shared.chain(&component, id, request).await;
            }
            if shared.is_hosts(&target, request.uri().path()) {
                tracing::warn!(component, %target, "a request to the host's own routes was refused");
                return Err(Error::HttpRequestDenied);
            }
            let request = if target.is_own() {
                shared.to_own(request)?
            } else {
                let scheme = request.uri().scheme().cloned();
                let scheme = scheme.ok_or(Error::HttpRequestUriInvalid)?;
                aimed(request, scheme, &target.authority())?
            };
            let place = shared.places.take(&component);
            let place = place.ok_or(Error::ConnectionLimitReached)?;
            let is_own = target.is_own();
            shared.client.send(request, options, place, is_own).await
        })
    }
}

impl Granted {
    fn target(&self, uri: &Uri) -> Result<Target> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let target = self
            .grants
            .target("http", &format!("{scheme}://{authority}"));
        target.map_err(|refused| {
            let component = &self.component;
            tracing::warn!(component, %refused, "an outbound request was refused");
            Error::HttpRequestDenied
        })
    }
}

impl Shared {
    async fn chain(
        &self,
        component: &str,
        id: &str,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>> {
        let components = read(&self.components);
        let answer = match components {
            Some(components) => components.answer(id, request).await,
            None => None,
        };
        answer.ok_or_else(|| {
            tracing::warn!(component, "there is no component {id:?} with an HTTP route");
            Error::DestinationNotFound
        })
    }

    fn to_own(&self, request: Request<WasiBody>) -> Result<Request<WasiBody>> {
        let own = read(&self.own).ok_or(Error::DestinationUnavailable)?;
        aimed(request, Scheme::HTTP, &own.address.to_string())
    }

    /// Whether the host would answer, whichever way its listener is named.
    fn is_hosts(&self, target: &Target, path: &str) -> bool {
        let Some(own) = read(&self.own) else {
            return false;
        };
        (target.is_own() || target.leads_to(own.address)) && (own.hosts)(path)
    }
}

/// The request to exactly the place that was granted: no user in it, and no second reading of what
/// the guest wrote.
fn aimed(
    mut request: Request<WasiBody>,
    scheme: Scheme,
    authority: &str,
) -> Result<Request<WasiBody>> {
    let path = request.uri().path_and_query();
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path.map_or("/", |path| path.as_str()))
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    *request.uri_mut() = uri;
    // The client writes it from the URI.
    request.headers_mut().remove(HOST);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use futures::FutureExt as _;
    use http_body_util::{BodyExt as _, Empty};

    use super::*;
    use crate::capabilities::outbound::Limits;
    use crate::capabilities::variables::Variables;

    fn of(component: &str, address: SocketAddr, shared: &Arc<Shared>) -> Granted {
        let grants = Grants::parse(&[format!("http://{address}")], &Variables::default());
        Granted {
            component: component.to_owned(),
            grants: Arc::new(grants.unwrap()),
            shared: Arc::clone(shared),
        }
    }

    #[tokio::test]
    async fn requests_on_their_way_are_bounded_for_each_component_and_for_all() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ids = ["a", "b", "c", "d", "e"];
        // "e" may have fewer than the others.
        let requests_max = ids.map(|id| (id.to_owned(), if id == "e" { 3 } else { 256 }));
        let limits = Limits {
            requests_max: BTreeMap::from(requests_max),
            ..Limits::default()
        };
        let connections_max = limits.connections_max();
        let shared = Arc::new(Shared {
            client: Client::new(Networks::default(), Authorities::default(), connections_max),
            places: Places::new(&limits),
            own: RwLock::default(),
            components: RwLock::default(),
        });
        let ask = |component: &str| {
            let body = Empty::<Bytes>::new()
                .map_err(|never| match never {})
                .boxed_unsync();
            let request = Request::get(format!("http://{address}/"))
                .body(body)
                .unwrap();
            of(component, address, &shared).send(request, RequestOptions::default())
        };
        // Nobody answers: each that has a place waits.
        let mut waiting = Vec::new();
        for _ in 0..256 {
            let mut sending = ask("a");
            assert!((&mut sending).now_or_never().is_none());
            waiting.push(sending);
        }
        let refused = ask("a").await;
        assert!(matches!(refused, Err(Error::ConnectionLimitReached)));
        let mut others = ask("b");
        assert!((&mut others).now_or_never().is_none());
        // Whoever is not waited for any more makes room.
        waiting.pop();
        assert!((&mut ask("a")).now_or_never().is_none());
        drop((waiting, others));

        let few: Vec<_> = std::iter::from_fn(|| shared.places.take("e")).collect();
        assert_eq!(few.len(), 3);
        drop(few);
        let mut held = Vec::new();
        for id in ids {
            held.extend(std::iter::from_fn(|| shared.places.take(id)));
        }
        assert_eq!(held.len(), 1_024);
        let refused = ask("e").await;
        assert!(matches!(refused, Err(Error::ConnectionLimitReached)));
    }
}
