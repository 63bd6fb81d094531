//! A component that behaves well at some paths, and badly at others, one way each.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use futures::channel::mpsc::Sender;
use futures::{SinkExt as _, StreamExt as _};
use spin_sdk::http::body::stream;
use spin_sdk::http::{IntoResponse, Request, Response, StatusCode};
use spin_sdk::http_service;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields};
use spin_sdk::wasip3::{spawn, wit_future};

type Body = Sender<Vec<u8>>;

const CHUNK_BYTES: usize = 16 << 10;

static REQUESTS: AtomicU32 = AtomicU32::new(0);

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    let before = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let (mut body, response) = stream::<Vec<u8>>();
    let mut status = StatusCode::OK;
    match behaviour(&request) {
        // Well.
        "echo" => say(body, echo(&request)),
        "before" => say(body, before.to_string()),
        "read" => match length(request).await {
            Ok(bytes) => say(body, bytes.to_string()),
            Err(_) => status = StatusCode::BAD_REQUEST,
        },
        "unread" => say(body, "not read".into()),
        "work" => say(body, work().to_string()),
        // Badly, before there is an answer.
        "loop" => spin(),
        "calls" => call_for_ever(),
        "trap" => panic!("as asked"),
        "leak" => leak(),
        "handles" => open_handles(),
        "futures" => open_futures(),
        "recurse" => say(body, recurse(1).to_string()),
        "never" => wait().await,
        // Badly, after its head.
        "trap-late" => spawn(async move {
            let _ = body.send(vec![b'x'; CHUNK_BYTES]).await;
            later().await;
            panic!("as asked");
        }),
        "stall" => spawn(async move {
            let _ = body.send(b"a beginning".to_vec()).await;
            wait().await;
        }),
        "endless" => spawn(endless(body)),
        "deaf" => spawn(async move {
            let _ = body.send(b"a beginning".to_vec()).await;
            later().await;
            spin()
        }),
        "loop-late" => spawn(async move {
            let _ = body.send(b"done".to_vec()).await;
            drop(body);
            later().await;
            spin()
        }),
        _ => status = StatusCode::NOT_FOUND,
    }
    let mut response = Response::new(response);
    *response.status_mut() = status;
    response
}

/// The last segment of the path.
fn behaviour(request: &Request) -> &str {
    let path = request.uri().path().trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default()
}

fn say(mut body: Body, text: String) {
    spawn(async move {
        let _ = body.send(text.into_bytes()).await;
    });
}

/// The request, a line for each thing.
fn echo(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!(
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    lines.sort();
    lines.join("\n")
}

async fn length(request: Request) -> Result<usize, ()> {
    use spin_sdk::http::body::IncomingBodyExt as _;
    let mut body = request.into_body().stream();
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        bytes += chunk.map_err(|_| ())?.len();
    }
    Ok(bytes)
}

/// Some milliseconds of honest work.
fn work() -> u64 {
    (0..3_000_000_u64).fold(1, |sum, n| black_box(sum.wrapping_mul(31) ^ n))
}

/// Until the head of the answer is on its way.
async fn later() {
    monotonic_clock::wait_for(20_000_000).await;
}

/// For longer than anybody lets it.
async fn wait() {
    monotonic_clock::wait_for(u64::MAX).await;
}

fn spin() {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn call_for_ever() {
    loop {
        black_box(Instant::now());
    }
}

fn leak() {
    loop {
        std::mem::forget(black_box(vec![1_u8; CHUNK_BYTES]));
    }
}

/// Headers that the host keeps.
fn open_handles() {
    loop {
        std::mem::forget(black_box(Fields::new()));
    }
}

/// Both ends of futures that nobody writes to or reads.
fn open_futures() {
    loop {
        std::mem::forget(black_box(wit_future::new::<Result<(), ErrorCode>>(|| {
            Ok(())
        })));
    }
}

fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    if here[0] == 0 {
        0
    } else {
        recurse(depth + 1) + here[1]
    }
}

async fn endless(mut body: Body) {
    while body.send(vec![b'x'; CHUNK_BYTES]).await.is_ok() {}
}
