//! Instances at work, made as they are needed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use praxis_wasi::State;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, Proxy, ProxyPre, ShouldAccept, WorkerExpiration,
    WorkerState, WorkerStatus,
};

use super::super::lanes;
use super::call::{Fate, Ticket};
use super::limits::Limits;
use crate::runtime::component::{self, Component};
use crate::runtime::room;
use crate::runtime::turns::Rest;

/// How long an instance without work is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes the instances of one version.
pub struct Instances {
    component: Component,
    pre: ProxyPre<State>,
    timeout: Duration,
    requests_max: usize,
}

impl Instances {
    pub fn new(component: &Component, pre: ProxyPre<State>) -> Self {
        let limits = Limits::new(&component.manifest.tool.praxis);
        // Components of WASI 0.2 are written to be used once.
        let requests_max = match &pre {
            ProxyPre::P3(_) => limits.requests_per_instance_max,
            ProxyPre::P2(_) => 1,
        };
        Self {
            timeout: component.request_timeout(),
            requests_max,
            component: component.clone(),
            pre,
        }
    }
}

impl room::Linked for ProxyPre<State> {
    type Instance = Proxy;

    async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Proxy> {
        self.instantiate_async(store).await
    }
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        // A component may run code when it is instantiated.
        let limit = self.component.queue_timeout().saturating_add(self.timeout);
        let begun = room::begin(&self.component, &self.pre);
        let begun = tokio::time::timeout(limit, begun).await;
        let (mut store, proxy) = begun.map_err(|_| ExpirationError)??;
        let occupation = Arc::new(Occupation::default());
        let expiration = Expiration {
            timeout: self.timeout,
            armed: None,
            over: Box::pin(self.component.life().over()),
            occupation: Arc::clone(&occupation),
            rest: component::rest(store.data_mut()),
        };
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration,
            state: Worker {
                component: self.component.clone(),
                requests_max: self.requests_max,
                occupation,
            },
        })
    }
}

/// What an instance is doing: nothing, or one call. It has not ended before everything has that the
/// instance does for it, the body of its answer included.
#[derive(Default)]
struct Occupation(Mutex<Option<Ticket>>);

impl Occupation {
    fn current(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends an instance that is idle, stuck, or whose answer nobody waits for.
pub struct Expiration {
    timeout: Duration,
    /// Set again only when it has run down: the deadline moves with every request.
    armed: Option<Pin<Box<Sleep>>>,
    /// Until a newer version of the component takes over: nothing more is to come then.
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    occupation: Arc<Occupation>,
    rest: Rest,
}

impl Expiration {
    fn poll_deadline(&mut self, context: &mut Context<'_>, at: Instant) -> Poll<()> {
        let at = tokio::time::Instant::from_std(at);
        let sleep = self
            .armed
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        loop {
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        // It is polled whenever the instance has nothing to do just now.
        self.rest.waits();
        if status == WorkerStatus::Idle {
            // Its place is free, and it may take the next request.
            if self.occupation.current().take().is_some() {
                context.waker().wake_by_ref();
            }
            if self.over.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            return self.poll_deadline(context, since + IDLE_TIMEOUT);
        }
        let over = |ticket: &Ticket| ticket.call.is_over(context.waker());
        if self.occupation.current().as_ref().is_some_and(over) {
            return Poll::Ready(());
        }
        let Some(at) = since.checked_add(self.timeout) else {
            return Poll::Pending;
        };
        if self.poll_deadline(context, at).is_pending() {
            return Poll::Pending;
        }
        if let Some(ticket) = &*self.occupation.current() {
            ticket.call.end(Fate::Expired);
        }
        Poll::Ready(())
    }
}

/// One instance at work: one request after the other, so that a trap takes only its own.
pub struct Worker {
    component: Component,
    requests_max: usize,
    occupation: Arc<Occupation>,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = Ticket;

    fn should_accept_request(&self, _: usize, total: usize) -> ShouldAccept {
        if total >= self.requests_max {
            ShouldAccept::Never
        } else if self.occupation.current().is_some() {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, State>,
        ticket: Ticket,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        self.component.refill(store);
        *self.occupation.current() = Some(ticket);
        // What `Expiration` does: it is polled even while the guest is busy.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        let ticket = self.occupation.current().take();
        let fate = result.as_ref().err().map(|trap| match &ticket {
            Some(ticket) => {
                ticket.call.end(Fate::of(trap));
                ticket.call.fate()
            }
            None => Fate::Trapped,
        });
        // Only now does an answer that was cut off end: its reader can see why.
        drop(store);
        let component = &self.component.manifest.id;
        let (Err(trap), Some(fate)) = (result, fate) else {
            return;
        };
        match fate {
            Fate::Expired => {
                tracing::warn!(component, "an instance was at one request for too long")
            }
            Fate::OutOfFuel => tracing::warn!(component, "an instance used up its fuel"),
            Fate::Running | Fate::Trapped if !lanes::ending() => {
                let trap = format!("{trap:#}");
                tracing::error!(component, trap, "an instance trapped");
            }
            Fate::Running
            | Fate::Trapped
            | Fate::Abandoned
            | Fate::BodyTooLarge
            | Fate::BodyTooSlow => tracing::debug!(component, "an instance was stopped"),
        }
    }
}
