//! How many requests are on their way at one time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
use crate::manifest::limits::ALL_OUTBOUND_REQUESTS;

pub struct Places {
    all: Arc<Semaphore>,
    /// Of each: it cannot take what others need.
    of_one: BTreeMap<String, Arc<Semaphore>>,
}

/// Held until the answer's body has come.
pub struct Place {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        let of_one = limits.requests_max.iter();
        let of_one = of_one.map(|(id, max)| (id.clone(), Arc::new(Semaphore::new(*max))));
        Self {
            all: Arc::new(Semaphore::new(limits.all.count(&ALL_OUTBOUND_REQUESTS))),
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
