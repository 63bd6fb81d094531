//! Whether anything is under way on a connection that may have several requests at one time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

/// Counts a connection's requests.
#[derive(Clone, Default)]
pub struct Idle {
    begun: Arc<AtomicU64>,
    under_way: Arc<AtomicU64>,
}

/// A request, until its answer has ended or is dropped.
pub struct Request(Arc<AtomicU64>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Idle {
    pub fn begin(&self) -> Request {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Request(Arc::clone(&self.under_way))
    }

    /// Resolves when nothing was under way for so long, or up to twice as long.
    pub async fn lasts(&self, time: Duration) {
        let mut seen = None;
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            let is_idle = self.under_way.load(Ordering::Relaxed) == 0;
            if is_idle && seen == Some(begun) {
                return;
            }
            seen = is_idle.then_some(begun);
            tokio::time::sleep(time).await;
        }
    }
}

/// An answer's body that holds its request.
pub fn held(body: WasiBody, request: Request) -> WasiBody {
    let held = Held {
        body,
        _request: request,
    };
    held.boxed_unsync()
}

struct Held {
    body: WasiBody,
    _request: Request,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
