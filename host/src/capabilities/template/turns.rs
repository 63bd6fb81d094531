//! Who may run: so many at one time, and of one owner not all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::limits::{CALLS_AT_ONCE_MAX, CALLS_OF_OWNER_AT_ONCE_MAX, QUEUE_MS_MAX};

pub struct Turns {
    all: Arc<Semaphore>,
    owners: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// It is somebody's turn until this is dropped.
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _one: OwnedSemaphorePermit,
}

/// There was no turn in time.
#[derive(Debug, thiserror::Error)]
#[error("renderers are busy: no turn within {QUEUE_MS_MAX} ms")]
pub struct Busy;

impl Turns {
    pub fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(CALLS_AT_ONCE_MAX)),
            owners: Mutex::default(),
        }
    }

    pub async fn next(&self, owner: &str) -> Result<Turn, Busy> {
        let owned = self.owned(owner);
        let turn = async {
            let own = owned.acquire_owned().await.ok()?;
            let one = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn {
                _own: own,
                _one: one,
            })
        };
        let turn = timeout(Duration::from_millis(QUEUE_MS_MAX), turn).await;
        turn.ok().flatten().ok_or(Busy)
    }

    fn owned(&self, owner: &str) -> Arc<Semaphore> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = owners.get(owner) {
            return Arc::clone(known);
        }
        // Whoever has something in hand holds theirs.
        owners.retain(|_, theirs| Arc::strong_count(theirs) > 1);
        let own = Arc::new(Semaphore::new(CALLS_OF_OWNER_AT_ONCE_MAX));
        owners.insert(owner.to_owned(), Arc::clone(&own));
        own
    }
}
