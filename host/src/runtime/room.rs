//! Room for one more instance: a process has a limit to those alive at one time, and who finds it
//! full waits a while.

use std::time::{Duration, Instant};

use praxis_wasi::State;
use wasmtime::{PoolConcurrencyLimitError, Store};

use super::component::Component;

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

/// Whether there are as many instances in the process as there may be: no fault of the component.
pub fn is_full(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>()
}
