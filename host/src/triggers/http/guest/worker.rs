//! Instances at work, made as they are needed.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use praxis_wasi::State;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use super::limits;
use crate::runtime::component::Component;

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
    pub fn new(component: Component, pre: ProxyPre<State>) -> Self {
        Self {
            timeout: component.request_timeout(),
            requests_max: limits::requests_per_instance_max(&component.manifest.tool.praxis),
            component,
            pre,
        }
    }
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = self.component.store();
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration {
                timeout: self.timeout,
                sleep: Box::pin(tokio::time::sleep(self.timeout)),
                over: Box::pin(self.component.life().over()),
            },
            state: Worker {
                component: self.component.manifest.id.clone(),
                timeout: self.timeout,
                requests_max: self.requests_max,
            },
        })
    }
}

/// Ends an instance that is idle or stuck. The time-out in `on_request_start` is not polled while
/// the guest is busy; this one is.
pub struct Expiration {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    /// Until a newer version of the component takes over: nothing more is to come then.
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        let limit = match status {
            WorkerStatus::Idle if self.over.as_mut().poll(context).is_ready() => {
                return Poll::Ready(());
            }
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
pub struct Worker {
    component: String,
    timeout: Duration,
    requests_max: usize,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, current: usize, total: usize) -> ShouldAccept {
        if total >= self.requests_max {
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
