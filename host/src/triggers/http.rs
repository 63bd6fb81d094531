//! Requests: accepted, routed, authenticated, and answered by a component or by the host itself.

pub mod auth;
pub mod chain;
pub mod development;
pub mod guest;
pub mod issuer;
pub mod operations;
pub mod problem;
pub mod routes;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::WasiBody;

use self::guest::Guest;
use self::problem::Problem;

/// The request line and all headers together.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// A client that takes longer to send its head is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that are open at one time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 8192;
/// How long requests under way may go on once the server is to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that the host makes itself, or that comes from a component.
pub type Response = http::Response<WasiBody>;

/// Everything that answers requests.
pub struct Server {
    routes: routes::Routes<Target>,
    auth: Option<auth::Verifier>,
    operations: Option<operations::Operations>,
    development: development::Development,
}

/// Who answers a route.
pub enum Target {
    Guest(Guest),
    Operations(operations::Operation),
    Development(development::Page),
}

impl Server {
    /// The manifest's routes and the host's own, which the manifest can't take over.
    pub fn new(
        guests: Vec<(String, Guest)>,
        auth: Option<auth::Verifier>,
        operations: Option<operations::Operations>,
        development: development::Development,
    ) -> anyhow::Result<Self> {
        let mut routes = routes::Routes::default();
        for (route, guest) in guests {
            routes.add(&route, Target::Guest(guest))?;
        }
        if operations.is_some() {
            for (route, operation) in operations::ROUTES {
                routes.add(route, Target::Operations(operation))?;
            }
        }
        for (route, page) in development.routes() {
            routes.add(route, Target::Development(page))?;
        }
        Ok(Self {
            routes,
            auth,
            operations,
            development,
        })
    }

    /// Accepts connections until told to stop, then lets requests under way finish.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, client)) => {
                    let connection = Arc::clone(&self).connection(stream, client, stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // Out of file descriptors, or the client is gone already: the next may fare better.
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        connections.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!("requests were still under way when the server stopped");
        }
        Ok(())
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        stop: CancellationToken,
    ) {
        // Without it, small answers on a kept-alive connection wait for the client's delayed ACK.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request, client).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(&self, request: http::Request<Incoming>, client: SocketAddr) -> Response {
        let started = Instant::now();
        let method = request.method().clone();
        let (route, response) = self.routed(request, client).await;
        let response = response.unwrap_or_else(Problem::into_response);
        let labels = [
            ("route", route),
            ("method", label(&method).to_owned()),
            ("status", response.status().as_u16().to_string()),
        ];
        metrics::counter!("http_requests_total", &labels).increment(1);
        metrics::histogram!("http_request_seconds", &labels).record(started.elapsed());
        response
    }

    /// The route that was taken, and the answer.
    async fn routed(
        &self,
        request: http::Request<Incoming>,
        client: SocketAddr,
    ) -> (String, Result<Response, Problem>) {
        let path = request.uri().path().to_owned();
        let Some(found) = self.routes.find(&path) else {
            return ("none".into(), Err(Problem::not_found()));
        };
        let route = found.route.to_owned();
        let response = self.dispatch(found, request, client).await;
        (route, response)
    }

    async fn dispatch(
        &self,
        found: routes::Found<'_, Target>,
        request: http::Request<Incoming>,
        client: SocketAddr,
    ) -> Result<Response, Problem> {
        let claims = match &self.auth {
            Some(auth) => auth.verify(request.headers()).await?,
            None => None,
        };
        match found.target {
            Target::Guest(guest) => {
                let bytes_max = guest.body_bytes_max();
                if declared_length(&request).is_some_and(|length| length > bytes_max) {
                    return Err(Problem::too_large(bytes_max));
                }
                let mut request = request.map(|body| guest::limited(body, bytes_max));
                let headers = request.headers_mut();
                auth::pass_on(headers, claims.as_ref());
                let uri = request.uri().clone();
                found.add_headers(request.headers_mut(), &uri, client);
                guest.answer(request).await
            }
            Target::Operations(operation) => {
                get_only(request.method())?;
                let operations = self.operations.as_ref();
                let operations = operations.expect("its routes are added only with it");
                operations.answer(*operation, claims.as_ref()).await
            }
            Target::Development(page) => self.development.answer(*page, &found, request).await,
        }
    }
}

/// A method as a metric's label. A client may invent methods, but not series.
fn label(method: &Method) -> &str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if KNOWN.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}

fn declared_length(request: &http::Request<Incoming>) -> Option<u64> {
    let value: &HeaderValue = request.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn get_only(method: &Method) -> Result<(), Problem> {
    if method == Method::GET || method == Method::HEAD {
        Ok(())
    } else {
        Err(Problem::method_not_allowed("GET, HEAD"))
    }
}

/// An answer that the host makes itself.
pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let body = Full::new(body.into()).map_err(wasmtime_wasi_http::Error::from);
    let mut response = http::Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(content_type),
    );
    response
}
