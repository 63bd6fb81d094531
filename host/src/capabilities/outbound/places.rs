//! How many requests are on their way at one time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Outbound;

/// Of all components.
pub const REQUESTS_OUT_MAX: usize = 1_024;
/// Of one: it cannot take what others need.
pub const REQUESTS_OUT_OF_ONE_MAX: usize = 256;

pub struct Places {
    all: Arc<Semaphore>,
    of_one: BTreeMap<String, Arc<Semaphore>>,
}

/// Held until the answer's body has come.
pub struct Place {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(outbound: &Outbound) -> Self {
        let ids = outbound.0.keys().cloned();
        let of_one = ids.map(|id| (id, Arc::new(Semaphore::new(REQUESTS_OUT_OF_ONE_MAX))));
        Self {
            all: Arc::new(Semaphore::new(REQUESTS_OUT_MAX)),
            of_one: of_one.collect(),
        }
    }

    /// A place for one more request of the component, if there is one.
    pub fn take(&self, component: &str) -> Option<Place> {
        let of_one = Arc::clone(self.of_one.get(component)?);
        Some(Place {
            _of_one: of_one.try_acquire_owned().ok()?,
            _of_all: Arc::clone(&self.all).try_acquire_owned().ok()?,
        })
    }
}
