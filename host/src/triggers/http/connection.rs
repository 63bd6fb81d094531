//! One client's connection: HTTP/1, or HTTP/2 if the client begins with it.

mod first;
mod hurried;
mod idle;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::first::First;
use self::hurried::{Hurried, LINGER_TIMEOUT};
use self::idle::{Idle, held};
use super::client::Client;
use super::pace::Window;
use super::{Server, response};
use crate::manifest::limits::{self, HEAD_BYTES, HEAD_TIMEOUT, HEADERS};

/// Requests at one time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 64;

/// What a client may take of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The request line and all headers together.
    head_bytes_max: usize,
    headers_max: usize,
    /// A client that takes longer to send a head, or sends none, is cut off.
    head_timeout: Duration,
    /// How slowly it may read its answers.
    slowest: Window,
}

impl Limits {
    pub fn new(limits: &limits::Limits) -> Self {
        Self {
            head_bytes_max: limits.count(&HEAD_BYTES),
            headers_max: limits.count(&HEADERS),
            head_timeout: Duration::from_millis(limits.of(&HEAD_TIMEOUT)),
            slowest: Window::new(limits),
        }
    }
}

/// Answers the client's requests until it goes or the server is to stop.
pub async fn serve(
    server: Arc<Server>,
    mut stream: TcpStream,
    address: SocketAddr,
    stop: CancellationToken,
) {
    // Without it, small answers on a kept-alive connection wait for the client's delayed ACK.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let limits = server.connection_limits;
    let local = stream.local_addr().unwrap_or(address);
    let client = Arc::new(Client::new(address, local));
    let first = timeout(limits.head_timeout, First::of(&mut stream));
    let Some(Ok(Ok(first))) = stop.run_until_cancelled(first).await else {
        return;
    };
    let is_http_2 = first.is_http_2();
    let stream = Hurried::new(first, stream, limits.slowest);
    if is_http_2 {
        serve_2(server, stream, client, stop).await;
    } else {
        serve_1(server, stream, client, stop).await;
    }
}

/// One request after the other.
async fn serve_1(
    server: Arc<Server>,
    stream: Hurried,
    client: Arc<Client>,
    stop: CancellationToken,
) {
    let limits = server.connection_limits;
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(server.answer(request, &client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max)
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

/// Several requests at one time.
async fn serve_2(
    server: Arc<Server>,
    stream: Hurried,
    client: Arc<Client>,
    stop: CancellationToken,
) {
    let limits = server.connection_limits;
    let idle = Idle::default();
    let begun = idle.clone();
    let service = service_fn(move |request: http::Request<_>| {
        let server = Arc::clone(&server);
        let client = Arc::clone(&client);
        let request_held = begun.begin();
        async move {
            // HTTP/1 counts them while it reads.
            let answer = if request.headers().len() > limits.headers_max {
                let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                response(status, "text/plain", "there are too many headers")
            } else {
                server.answer(request, &client).await
            };
            Ok::<_, Infallible>(answer.map(|body| held(body, request_held)))
        }
    });
    let head_bytes_max = u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(head_bytes_max)
        .keep_alive_interval(limits.head_timeout)
        .keep_alive_timeout(limits.head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = idle.lasts(limits.head_timeout) => {
            connection.as_mut().graceful_shutdown();
            // Nothing is under way: who does not hear it is cut off.
            timeout(LINGER_TIMEOUT, connection).await.unwrap_or(Ok(()))
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
