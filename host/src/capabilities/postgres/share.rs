//! What one component may have of a pool: some connections of its own, the others as long as
//! nobody else has them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::Error;
use super::limits::Limits;
use super::pool::{Lease, Pool};

/// Connections that a component has to itself, whatever the others do.
const CONNECTIONS_OWN_MAX: usize = 4;
/// Waiting for a connection when all are in use.
const LEASE_WAIT_MS: u64 = 2_000;

pub struct Share {
    pub pool: Arc<Pool>,
    pub limits: Limits,
    own: Arc<Semaphore>,
    /// Of those that the pool has for everybody.
    further: Arc<Semaphore>,
}

/// Held as long as the connection is.
pub struct Permit {
    _of_component: OwnedSemaphorePermit,
    _of_pool: Option<OwnedSemaphorePermit>,
}

impl Share {
    pub fn new(pool: Arc<Pool>, limits: Limits) -> Self {
        let own = limits.connections_max.min(CONNECTIONS_OWN_MAX);
        Self {
            pool,
            limits,
            own: Arc::new(Semaphore::new(own)),
            further: Arc::new(Semaphore::new(limits.connections_max - own)),
        }
    }

    /// A connection of one's own until the lease is dropped.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let permit = match self.permit_at_once() {
            Some(permit) => permit,
            None => self.permit().await?,
        };
        self.pool.lease(permit).await
    }

    fn permit_at_once(&self) -> Option<Permit> {
        if let Ok(own) = Arc::clone(&self.own).try_acquire_owned() {
            return Some(Permit {
                _of_component: own,
                _of_pool: None,
            });
        }
        Some(Permit {
            _of_component: Arc::clone(&self.further).try_acquire_owned().ok()?,
            _of_pool: Some(self.pool.permits().try_acquire_owned().ok()?),
        })
    }

    /// Whichever comes free first.
    async fn permit(&self) -> Result<Permit, Error> {
        let own = async {
            Ok::<_, AcquireError>(Permit {
                _of_component: Arc::clone(&self.own).acquire_owned().await?,
                _of_pool: None,
            })
        };
        let further = async {
            Ok::<_, AcquireError>(Permit {
                _of_component: Arc::clone(&self.further).acquire_owned().await?,
                _of_pool: Some(self.pool.permits().acquire_owned().await?),
            })
        };
        let either = async {
            tokio::select! { permit = own => permit, permit = further => permit }
        };
        let permit = timeout(Duration::from_millis(LEASE_WAIT_MS), either).await;
        let permit = permit.map_err(|_| {
            Error::Connection(format!(
                "no connection to {} came free within {LEASE_WAIT_MS} ms",
                self.pool.place()
            ))
        })?;
        Ok(permit.expect("the semaphores are never closed"))
    }
}
