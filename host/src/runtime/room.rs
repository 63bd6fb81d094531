//! Room for one more instance: a process has a limit to those alive at one time, and who finds it
//! full waits a while.

use std::time::{Duration, Instant};

use praxis_wasi::State;
use tokio::time::timeout;
use wasmtime::{PoolConcurrencyLimitError, Store};

use super::component::{self, Component};
use super::life::Work;
use super::turns::Rest;

/// How often to look whether there is room for one more instance.
const ROOM_INTERVAL: Duration = Duration::from_millis(10);

/// What is linked, and can be instantiated under a name of its own.
pub trait Linked: Sync {
    type Instance: Send;

    fn instantiate(
        &self,
        store: &mut Store<State>,
    ) -> impl Future<Output = wasmtime::Result<Self::Instance>> + Send;
}

/// A store with an instance, as soon as there is room. After the component's
/// `queue_timeout` it fails with an error that [`is_full`] knows.
pub async fn begin<L: Linked>(
    component: &Component,
    linked: &L,
) -> wasmtime::Result<(Store<State>, L::Instance)> {
    let begun = Instant::now();
    loop {
        let mut store = component.store();
        match linked.instantiate(&mut store).await {
            Ok(instance) => return Ok((store, instance)),
            Err(error) if is_full(&error) && begun.elapsed() < component.queue_timeout() => {
                drop(store);
                tokio::time::sleep(ROOM_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// The process had no room for one more instance.
    Full(String),
    /// The component trapped, or its time for one event was up.
    Fault(String),
}

/// Has an instance of its own answer one call, and counts that as an event. The time to wait for
/// room is not the component's.
pub async fn once<L, F, T>(
    component: &Component,
    linked: &L,
    call: impl FnOnce(Store<State>, L::Instance) -> F,
) -> Result<T, Unanswered>
where
    L: Linked,
    F: Future<Output = wasmtime::Result<T>>,
{
    let _event = component.life().begin(Work::Event);
    let (mut store, instance) = begin_event(component, linked).await?;
    let rest = component::rest(store.data_mut());
    in_time(component, &rest, call(store, instance)).await
}

/// A store with an instance for an event. The time to wait for room is not the component's, but that
/// of its instantiation is.
pub async fn begin_event<L: Linked>(
    component: &Component,
    linked: &L,
) -> Result<(Store<State>, L::Instance), Unanswered> {
    let limit = component.queue_timeout() + component.event_timeout();
    match timeout(limit, begin(component, linked)).await {
        Ok(Ok(begun)) => Ok(begun),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Unanswered::late(component)),
    }
}

/// The answer of a call, if it comes within the component's time for one event.
pub async fn in_time<T>(
    component: &Component,
    rest: &Rest,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Unanswered> {
    match timeout(component.event_timeout(), rest.watch(call)).await {
        Ok(answer) => answer.map_err(Unanswered::from),
        Err(_) => Err(Unanswered::late(component)),
    }
}

impl Unanswered {
    fn late(component: &Component) -> Self {
        let limit = component.event_timeout().as_millis();
        Self::Fault(format!("not done after {limit} ms"))
    }
}

impl From<wasmtime::Error> for Unanswered {
    fn from(error: wasmtime::Error) -> Self {
        match is_full(&error) {
            true => Self::Full(error.to_string()),
            false => Self::Fault(format!("trapped: {:#}", error.root_cause())),
        }
    }
}

/// Whether there are as many instances in the process as there may be: no fault of the component.
pub fn is_full(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>()
}
