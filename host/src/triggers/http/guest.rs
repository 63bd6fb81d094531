//! A component behind a route: what bounds it, and its version that answers now.

mod body;
mod call;
pub mod limits;
mod version;
mod worker;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, TrapOrPanicError};

use self::call::{Call, Fate, Interest, Ticket};
use self::limits::Limits;
pub use self::version::Version;
use super::pace::Window;
use super::{Problem, Response};
use crate::manifest;
use crate::runtime::component::Component;
use crate::runtime::deployment::{Commit, Seat};
use crate::runtime::life::Life;
use crate::runtime::room;

/// A component that answers requests. Its places and its queue outlive its versions.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    component: String,
    version: ArcSwap<Version>,
    /// Of the versions before it, until they have finished.
    retired: Mutex<Vec<Arc<Life>>>,
    limits: Limits,
    /// How slowly a request's body may come.
    slowest: Window,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Guest {
    /// Fails if the component exports neither interface.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        Self::paced(component, Window::new(&manifest::limits::Limits::default()))
    }

    /// The same, for clients that may be as slow as this.
    pub fn paced(component: &Component, slowest: Window) -> anyhow::Result<Self> {
        let limits = Limits::new(&component.manifest.tool.praxis);
        Ok(Self(Arc::new(Inner {
            component: component.manifest.id.clone(),
            version: ArcSwap::from_pointee(Version::new(component)?),
            retired: Mutex::default(),
            places: Arc::new(Semaphore::new(limits.requests_in_flight_max)),
            waiting: AtomicUsize::new(0),
            limits,
            slowest,
        })))
    }

    /// The component's answer, as soon as its head is there. Dropped before its body has ended, or
    /// before there is an answer, it stops the instance that is at it.
    pub async fn answer<B>(&self, request: http::Request<B>) -> Result<Response, Problem>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let inner = &*self.0;
        let body_bytes_max = inner.limits.body_bytes_max;
        if declared_length(&request).is_some_and(|length| length > body_bytes_max) {
            return Err(Problem::too_large(body_bytes_max));
        }
        let place = inner.place().await?;
        let method = request.method().clone();
        let call = Arc::new(Call::default());
        let interest = Interest::new(Arc::clone(&call));
        let ticket = Ticket {
            call: Arc::clone(&call),
            _place: place,
        };
        let request =
            request.map(|body| body::incoming(body, body_bytes_max, inner.slowest, &call));
        // Taken late: a request that waited is answered by the version that is live now.
        let version = inner.version.load_full();
        let answer = tokio::select! {
            biased;
            answer = version.answer(request, ticket) => answer,
            () = call.ended() => Err(TrapOrPanicError.into()),
        };
        match answer {
            Ok(response) => Ok(body::prompt(body::outgoing(&method, response, interest)).await),
            Err(error) => Err(inner.problem(&call, error).await),
        }
    }
}

impl Guest {
    /// Whether an instance is there, at work or idle: of its live version or of an older one.
    pub fn has_instances(&self) -> bool {
        let retired = self.0.retired();
        let is_left = retired.iter().any(|life| !life.is_drained());
        is_left || self.0.version.load().has_instances()
    }

    /// For who asks it, but does not keep it.
    pub fn downgrade(&self) -> WeakGuest {
        WeakGuest(Arc::downgrade(&self.0))
    }
}

/// A guest that others keep.
pub struct WeakGuest(Weak<Inner>);

impl WeakGuest {
    pub fn upgrade(&self) -> Option<Guest> {
        self.0.upgrade().map(Guest)
    }
}

impl Seat for Guest {
    fn prepare(&self, component: &Component) -> anyhow::Result<Commit> {
        let next = Arc::new(Version::new(component)?);
        let seat = self.clone();
        Ok(Box::new(move || seat.0.put(next)))
    }
}

impl Inner {
    fn put(&self, next: Arc<Version>) {
        let mut retired = self.retired();
        let old = self.version.swap(next);
        retired.retain(|life| !life.is_drained());
        retired.push(Arc::clone(old.life()));
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Life>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the requests that the component works on.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let places = Arc::clone(&self.places);
        match places.try_acquire_owned() {
            Ok(place) => return Ok(place),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
        }
        let _waiting = Waiting::enter(&self.waiting, self.limits.requests_queued_max)
            .ok_or_else(Problem::busy)?;
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.limits.queue_timeout, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Problem::busy()),
        }
    }

    /// Why there is no answer.
    async fn problem(&self, call: &Call, error: wasmtime::Error) -> Problem {
        let component = &self.component;
        if error.is::<ExpirationError>() {
            return Problem::timeout();
        }
        if let Some(error) = error.downcast_ref::<InstantiationError<Ticket>>() {
            let error = &error.error;
            if room::is_full(error) {
                tracing::warn!(component, "there was no room for one more instance");
                return Problem::busy();
            }
            if error.is::<ExpirationError>() {
                tracing::warn!(component, "an instance did not start in time");
                return Problem::timeout();
            }
            let error = format!("{error:#}");
            tracing::error!(component, error, "could not start an instance");
            return Problem::failed("the component could not be started");
        }
        if !error.is::<TrapOrPanicError>() {
            let fate = Fate::of(&error);
            let error = format!("{error:#}");
            tracing::error!(component, error, "a request was not answered");
            return match fate {
                Fate::OutOfFuel => Problem::out_of_fuel(),
                _ => Problem::failed("the component gave no answer"),
            };
        }
        match call.obituary().await {
            Fate::Expired => Problem::timeout(),
            Fate::OutOfFuel => Problem::out_of_fuel(),
            Fate::BodyTooLarge => Problem::too_large(self.limits.body_bytes_max),
            Fate::BodyTooSlow => Problem::body_too_slow(),
            Fate::Running | Fate::Abandoned | Fate::Trapped => {
                Problem::failed("the component stopped before it had answered")
            }
        }
    }
}

fn declared_length<B>(request: &http::Request<B>) -> Option<u64> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
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
