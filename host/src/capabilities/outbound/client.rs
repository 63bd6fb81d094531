//! The client for outbound requests: connections are kept and used again, by all components.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};

use super::connector::{Counting, Open};
use super::places::Place;
use super::{Authorities, Networks};

/// Opening the connection, where the component asks for no less.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// The first byte of the answer, and the time between any two.
const READ_TIMEOUT_MS: u64 = 30_000;
/// Connections without work that are kept for one host.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// And for how long.
const IDLE_TIMEOUT_MS: u64 = 30_000;
/// The head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

pub struct Client {
    pool: legacy::Client<Counting<HttpsConnector<HttpConnector<Resolver>>>, WasiBody>,
    blocked: Arc<Networks>,
    open: Open,
    /// From so many open connections on, each is closed after its use.
    connections_max: usize,
}

impl Client {
    pub fn new(blocked: Networks, authorities: Authorities, connections_max: usize) -> Self {
        let blocked = Arc::new(blocked);
        let mut connector = HttpConnector::new_with_resolver(Resolver(Arc::clone(&blocked)));
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(CONNECT_TIMEOUT_MS)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(authorities))
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let open = Open::default();
        let connector = Counting::new(connector, open.clone());
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_millis(IDLE_TIMEOUT_MS))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Self {
            pool,
            blocked,
            open,
            connections_max,
        }
    }

    /// Sends to exactly the place in the URI. No network is blocked for the application itself.
    pub async fn send(
        &self,
        mut request: Request<WasiBody>,
        options: RequestOptions,
        place: Place,
        to_own: bool,
    ) -> Result<Response<WasiBody>> {
        let address = request.uri().host().and_then(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse().ok()
        });
        // A name is asked for when it is resolved.
        if !to_own && address.is_some_and(|address| self.blocked.cover(address)) {
            return Err(Error::DestinationIpProhibited);
        }
        let connect = bounded(options.connect_timeout, CONNECT_TIMEOUT_MS);
        let first_byte = bounded(options.first_byte_timeout, READ_TIMEOUT_MS);
        let between_bytes = bounded(options.between_bytes_timeout, READ_TIMEOUT_MS);
        let mut taken = capture_connection(&mut request);
        let late = async {
            match timeout(connect, taken.wait_for_connection_metadata()).await {
                Ok(connection) => {
                    if self.open.count() > self.connections_max
                        && let Some(connection) = connection.as_ref()
                    {
                        connection.poison();
                    }
                }
                Err(_) => return Error::ConnectionTimeout,
            }
            sleep(first_byte).await;
            Error::ConnectionReadTimeout
        };
        let answer = tokio::select! {
            // Whether the connection may be kept is looked at before it is given back.
            biased;
            late = late => Err(late),
            answer = self.pool.request(request) => answer.map_err(|error| named(&error)),
        }?;
        Ok(answer.map(|incoming| {
            let body = Timed {
                incoming,
                timeout: between_bytes,
                sleep: Box::pin(sleep(between_bytes)),
                _place: place,
            };
            body.boxed_unsync()
        }))
    }
}

fn bounded(asked: Option<Duration>, max_ms: u64) -> Duration {
    let max = Duration::from_millis(max_ms);
    asked.map_or(max, |asked| asked.min(max))
}

fn tls(authorities: Authorities) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(authorities.into_store())
        .with_no_client_auth()
}

/// A body that ends in an error if nothing comes for too long.
struct Timed {
    incoming: Incoming,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    _place: Place,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                let next = tokio::time::Instant::now() + self.timeout;
                self.sleep.as_mut().reset(next);
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
            }
            Poll::Pending => {
                ready!(self.sleep.as_mut().poll(context));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Resolves names, and leaves out the addresses that are blocked.
#[derive(Clone)]
struct Resolver(Arc<Networks>);

#[derive(Debug)]
enum Unresolved {
    Blocked,
    Unknown(io::Error),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("the name's addresses are all in blocked networks"),
            Self::Unknown(error) => write!(f, "{error}"),
        }
    }
}

impl StdError for Unresolved {}

type Resolving = Pin<Box<dyn Future<Output = Result<Addresses, Unresolved>> + Send>>;
type Addresses = std::vec::IntoIter<SocketAddr>;

impl tower_service::Service<Name> for Resolver {
    type Response = Addresses;
    type Error = Unresolved;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        let blocked = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let mut addresses: Vec<_> = found.map_err(Unresolved::Unknown)?.collect();
            addresses.retain(|address| !blocked.cover(address.ip()));
            if addresses.is_empty() {
                return Err(Unresolved::Blocked);
            }
            Ok(addresses.into_iter())
        })
    }
}

/// What went wrong, in the words of `wasi:http`.
fn named(error: &legacy::Error) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(unresolved) = error.downcast_ref::<Unresolved>() {
            return match unresolved {
                Unresolved::Blocked => Error::DestinationIpProhibited,
                Unresolved::Unknown(_) => Error::DnsError {
                    rcode: Some("address not available".into()),
                    info_code: None,
                },
            };
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return match error {
                rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
                _ => Error::TlsProtocolError,
            };
        }
        // The guest's own body came to more, or less, than it had said.
        if let Some(Error::HttpRequestBodySize(bytes)) = error.downcast_ref() {
            return Error::HttpRequestBodySize(*bytes);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_parse_too_large()
        {
            return Error::HttpResponseHeaderSectionSize(None);
        }
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => return Error::ConnectionRefused,
            Some(io::ErrorKind::TimedOut) => return Error::ConnectionTimeout,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                return Error::ConnectionTerminated;
            }
            _ => {}
        }
        cause = deeper(error);
    }
    if error.is_connect() {
        Error::DestinationUnavailable
    } else {
        Error::HttpProtocolError
    }
}

/// What an `io::Error` wraps is not its source.
fn deeper<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
