//! A component behind a route: `wasi:http/handler@0.3` or `wasi:http/incoming-handler@0.2`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use praxis_wasi::State;
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept,
    WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _, p2, p3};

use super::{Problem, Response};
use crate::runtime::component::Component;

/// Requests that one component works on at one time.
const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Requests that wait for one of those places.
const REQUESTS_QUEUED_MAX: usize = 1024;
/// How long they wait.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that an instance serves, one after the other, before a fresh one takes its place.
const REQUESTS_PER_INSTANCE_MAX: usize = 128;
/// How long an instance without work is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// A component that answers requests.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    handler: ProxyHandler<Instances>,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Guest {
    /// Fails if the component exports neither interface.
    pub fn new(component: &Component) -> anyhow::Result<Self> {
        let pre = component.pre().clone();
        let pre = match p3::bindings::ServicePre::new(pre.clone()) {
            Ok(pre) => ProxyPre::P3(pre),
            Err(_) => ProxyPre::P2(p2::bindings::ProxyPre::new(pre).map_err(|_| {
                anyhow!(
                    "component {:?} has an HTTP route, but exports neither \
                     wasi:http/handler@0.3.0 nor wasi:http/incoming-handler@0.2",
                    component.manifest.id
                )
            })?),
        };
        Ok(Self(Arc::new(Inner {
            handler: ProxyHandler::new(Instances {
                component: component.clone(),
                pre,
            }),
            places: Semaphore::new(REQUESTS_IN_FLIGHT_MAX),
            waiting: AtomicUsize::new(0),
        })))
    }

    /// The component's answer. The place is given back when its head is there: what streams on
    /// after it is bounded by the instance's own deadline.
    pub async fn answer(&self, request: http::Request<WasiBody>) -> Result<Response, Problem> {
        let inner = &*self.0;
        let _place = match inner.places.try_acquire() {
            Ok(place) => place,
            Err(_) => inner.queue().await?,
        };
        let answer = inner.handler.handle((), request).await;
        answer.map_err(|error| {
            let component = &inner.handler.state().component.manifest.id;
            if error.is::<ExpirationError>() {
                tracing::warn!(component, "a request was not answered in time");
                return Problem::timeout();
            }
            tracing::error!(component, error = format!("{error:#}"), "a request failed");
            Problem::failed()
        })
    }
}

impl Inner {
    async fn queue(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        let _waiting = Waiting::enter(&self.waiting).ok_or_else(Problem::busy)?;
        match tokio::time::timeout(QUEUE_TIMEOUT, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Problem::busy()),
        }
    }
}

/// One request in the queue, for as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Option<Self> {
        let entered = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (before < REQUESTS_QUEUED_MAX).then_some(entered)
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

/// Makes instances as they are needed.
struct Instances {
    component: Component,
    pre: ProxyPre<State>,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = self.component.store();
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let timeout = self.component.request_timeout();
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration {
                timeout,
                sleep: Box::pin(tokio::time::sleep(timeout)),
            },
            state: Worker {
                component: self.component.manifest.id.clone(),
                timeout,
            },
        })
    }
}

/// Ends an instance that is idle or stuck. The time-out in `on_request_start` is not polled while
/// the guest is busy; this one is.
struct Expiration {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        let limit = match status {
            WorkerStatus::Idle => IDLE_TIMEOUT,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.timeout,
        };
        let at = tokio::time::Instant::from_std(since + limit);
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().poll(context)
    }
}

/// One instance at work: one request after the other, so that a trap takes only its own.
struct Worker {
    component: String,
    timeout: Duration,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, current: usize, total: usize) -> ShouldAccept {
        if total >= REQUESTS_PER_INSTANCE_MAX {
            ShouldAccept::Never
        } else if current > 0 {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(tokio::time::sleep(self.timeout))
    }

    fn drop(&self, _: Store<State>, result: wasmtime::Result<()>) {
        if let Err(trap) = result {
            let trap = format!("{trap:#}");
            tracing::error!(component = self.component, trap, "an instance trapped");
        }
    }
}
