//! Requests: accepted, routed, authenticated, and answered by a component or by the host itself.

pub mod auth;
pub mod chain;
mod client;
mod connection;
pub mod development;
pub mod guest;
pub mod issuer;
mod lanes;
mod meters;
pub mod operations;
pub mod pace;
pub mod problem;
pub mod routes;
pub mod seating;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wasmtime_wasi_http::WasiBody;

use self::client::Client;
use self::guest::Guest;
use self::lanes::Lanes;
use self::meters::Meters;
use self::problem::Problem;
use self::seating::Guests;
use crate::manifest::limits::{CONNECTIONS, DRAIN_TIMEOUT, Limits};

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often to look whether that is so.
const QUIET_INTERVAL: Duration = Duration::from_millis(10);
/// What Spin keeps for itself, whatever the manifest's routes are.
const RESERVED_PREFIX: &str = "/.well-known/spin/";

/// A body that the host makes itself, or that comes from a component.
pub type Response = http::Response<WasiBody>;

/// Everything that answers requests.
pub struct Server {
    about: About,
    /// The host's own routes: looked at first, so that no spelling of one leads elsewhere.
    own: routes::Routes<Own>,
    routes: routes::Routes<Guest>,
    /// Those behind private routes, too.
    guests: Vec<Guest>,
    meters: Meters,
    auth: Option<auth::Verifier>,
    operations: Option<operations::Operations>,
    development: development::Development,
    connection_limits: connection::Limits,
    /// Connections that are open at one time; further ones wait to be accepted.
    connections_max: usize,
    /// How long requests under way, and the instances at work, may go on once the server is to
    /// stop.
    drain_timeout: Duration,
}

/// The application, as `/.well-known/spin/info` tells of it.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// What the host answers itself.
enum Own {
    Operation(operations::Operation),
    Page(development::Page),
}

impl Server {
    /// The manifest's routes and the host's own, which the manifest can't take over.
    pub fn new(
        about: About,
        limits: &Limits,
        guests: Guests,
        auth: Option<auth::Verifier>,
        operations: Option<operations::Operations>,
        development: development::Development,
    ) -> anyhow::Result<Self> {
        let mut own = routes::Routes::default();
        if operations.is_some() {
            for (route, operation) in operations::ROUTES {
                own.add(route, Own::Operation(operation))?;
            }
        }
        for (route, page) in development.routes() {
            own.add(route, Own::Page(page))?;
        }
        let mut routes = routes::Routes::default();
        for (route, guest) in guests.routes {
            routes.add(&route, guest)?;
        }
        let names = own.written().chain(routes.written()).chain(["none"]);
        let names = names.map(str::to_owned);
        Ok(Self {
            about,
            meters: Meters::new(names),
            own,
            routes,
            guests: guests.by_component.into_values().collect(),
            auth,
            operations,
            development,
            connection_limits: connection::Limits::new(limits),
            connections_max: limits.count(&CONNECTIONS),
            drain_timeout: Duration::from_millis(limits.of(&DRAIN_TIMEOUT)),
        })
    }

    /// Whether the host answers at this path itself, whatever the manifest's routes are.
    pub fn answers_itself(&self, path: &str) -> bool {
        self.own.find(path).is_some()
    }

    /// Accepts connections until told to stop, then lets requests under way finish.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let lanes = Lanes::start()?;
        let places = Arc::new(Semaphore::new(self.connections_max));
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                let (stream, client) = listener.accept().await?;
                std::io::Result::Ok((place, stream.into_std()?, client))
            };
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((place, stream, client)) => {
                    let server = Arc::clone(&self);
                    let stop = stop.clone();
                    lanes.spawn(move || async move {
                        match TcpStream::from_std(stream) {
                            Ok(stream) => connection::serve(server, stream, client, stop).await,
                            Err(error) => tracing::warn!(%error, "could not take a connection"),
                        }
                        drop(place);
                    });
                }
                // Out of file descriptors, or the client is gone already: the next may fare better.
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // New clients are refused, not left to wait.
        drop(listener);
        if !lanes.finish(self.quiet(), self.drain_timeout).await {
            tracing::warn!("requests were still under way when the server stopped");
        }
        Ok(())
    }

    /// Resolves when no component has an instance: what one does after its answer, it may finish.
    async fn quiet(&self) {
        while self.guests.iter().any(Guest::has_instances) {
            tokio::time::sleep(QUIET_INTERVAL).await;
        }
    }

    async fn answer(&self, request: http::Request<Incoming>, client: &Client) -> Response {
        let started = Instant::now();
        let method = request.method().clone();
        let (place, answer) = match self.absolute(request, client) {
            Ok(request) => self.routed(request, client).await,
            Err(problem) => (self.nowhere(), Err(problem)),
        };
        let response = answer.unwrap_or_else(Problem::into_response);
        let taken = started.elapsed();
        self.meters.count(place, &method, response.status(), taken);
        response
    }

    /// The request, with its target as an absolute address.
    fn absolute(
        &self,
        mut request: http::Request<Incoming>,
        client: &Client,
    ) -> Result<http::Request<Incoming>, Problem> {
        if request.method() == Method::CONNECT {
            return Err(Problem::not_implemented("this is not a proxy"));
        }
        *request.uri_mut() = client.absolute(&request)?;
        Ok(request)
    }

    /// The place of the route that was taken, and the answer.
    async fn routed(
        &self,
        request: http::Request<Incoming>,
        client: &Client,
    ) -> (usize, Result<Response, Problem>) {
        let uri = request.uri().clone();
        if let Some(reserved) = uri.path().strip_prefix(RESERVED_PREFIX) {
            return (self.nowhere(), self.well_known(reserved));
        }
        if let Some(found) = self.own.find(uri.path()) {
            return (found.place, self.itself(&found, request).await);
        }
        match self.routes.find(uri.path()) {
            Some(found) => {
                let place = self.own.written().count() + found.place;
                (place, self.dispatch(found, request, client).await)
            }
            None => (self.nowhere(), Err(Problem::not_found())),
        }
    }

    /// Where requests are counted that no route takes.
    fn nowhere(&self) -> usize {
        self.own.written().count() + self.routes.written().count()
    }

    fn well_known(&self, name: &str) -> Result<Response, Problem> {
        match name {
            "health" => Ok(response(StatusCode::OK, "text/plain", "OK")),
            "info" => {
                let about = serde_json::to_string_pretty(&self.about);
                let about = about.expect("it is a few strings");
                Ok(response(StatusCode::OK, "application/json", about))
            }
            _ => Err(Problem::not_found()),
        }
    }

    /// The host's own answer.
    async fn itself(
        &self,
        found: &routes::Found<'_, Own>,
        request: http::Request<Incoming>,
    ) -> Result<Response, Problem> {
        let claims = self.claims(&request).await?;
        match found.target {
            Own::Operation(operation) => {
                let operations = self.operations.as_ref();
                let operations = operations.expect("its routes are added only with it");
                let claims = claims.as_ref();
                operations.answer(*operation, found, request, claims).await
            }
            Own::Page(page) => self.development.answer(*page, found, request).await,
        }
    }

    /// A component's answer.
    async fn dispatch(
        &self,
        found: routes::Found<'_, Guest>,
        mut request: http::Request<Incoming>,
        client: &Client,
    ) -> Result<Response, Problem> {
        let claims = self.claims(&request).await?;
        let uri = request.uri().clone();
        let headers = request.headers_mut();
        if self.auth.is_some() {
            headers.remove(AUTHORIZATION);
        }
        auth::pass_on(headers, claims.as_ref());
        found.add_headers(headers, &uri, client);
        let guest = found.target.clone();
        let answer = lanes::shared(move || async move { guest.answer(request).await });
        // The server stops.
        answer.await.unwrap_or_else(|| Err(Problem::busy()))
    }

    async fn claims<B>(&self, request: &http::Request<B>) -> Result<Option<auth::Claims>, Problem> {
        match &self.auth {
            Some(auth) => auth.verify(request.headers()).await,
            None => Ok(None),
        }
    }
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
