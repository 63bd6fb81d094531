//! A component behind a route: what bounds it, and its version that answers now.

pub mod limits;
mod version;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ExpirationError;

use self::limits::Limits;
pub use self::version::Version;
use super::{Problem, Response};
use crate::runtime::component::Component;
use crate::runtime::deployment::{Commit, Seat};

/// A component that answers requests. Its places and its queue outlive its versions.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    component: String,
    version: ArcSwap<Version>,
    limits: Limits,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Guest {
    /// Fails if the component exports neither interface.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let limits = Limits::new(&component.manifest.tool.praxis);
        Ok(Self(Arc::new(Inner {
            component: component.manifest.id.clone(),
            version: ArcSwap::from_pointee(Version::new(component)?),
            places: Semaphore::new(limits.requests_in_flight_max),
            waiting: AtomicUsize::new(0),
            limits,
        })))
    }

    pub fn body_bytes_max(&self) -> u64 {
        self.0.limits.body_bytes_max
    }

    /// The component's answer. The place is given back when its head is there: what streams on
    /// after it is bounded by the instance's own deadline.
    pub async fn answer(&self, request: http::Request<WasiBody>) -> Result<Response, Problem> {
        let inner = &*self.0;
        let _place = match inner.places.try_acquire() {
            Ok(place) => place,
            Err(_) => inner.queue().await?,
        };
        // Taken late: a request that waited is answered by the version that is live now.
        let version = inner.version.load_full();
        version.answer(request).await.map_err(|error| {
            let component = &inner.component;
            if error.is::<ExpirationError>() {
                tracing::warn!(component, "a request was not answered in time");
                return Problem::timeout();
            }
            tracing::error!(component, error = format!("{error:#}"), "a request failed");
            Problem::failed()
        })
    }
}

impl Seat for Guest {
    fn prepare(&self, component: &Component) -> anyhow::Result<Commit> {
        let next = Arc::new(Version::new(component)?);
        let seat = self.clone();
        Ok(Box::new(move || seat.0.version.store(next)))
    }
}

impl Inner {
    async fn queue(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        let _waiting = Waiting::enter(&self.waiting, self.limits.requests_queued_max)
            .ok_or_else(Problem::busy)?;
        match tokio::time::timeout(self.limits.queue_timeout, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Problem::busy()),
        }
    }
}

/// One request in the queue, for as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        let entered = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (before < max).then_some(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request's body that ends in an error once it is longer than allowed.
pub fn limited(body: Incoming, bytes_max: u64) -> WasiBody {
    let bytes = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    Limited::new(body, bytes)
        .map_err(move |error| match error.downcast::<hyper::Error>() {
            Ok(error) => wasmtime_wasi_http::Error::from(*error),
            Err(error) if error.is::<LengthLimitError>() => {
                wasmtime_wasi_http::Error::HttpRequestBodySize(Some(bytes_max))
            }
            Err(_) => wasmtime_wasi_http::Error::HttpRequestBodySize(None),
        })
        .boxed_unsync()
}
