//! Where one component is deployed: the version that is live there, and those before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::OwnedMutexGuard;

use super::super::component::Component;
use super::super::life::Life;
use super::{Commit, Draining, Live, Report, Seat, Version};
use crate::clock;

/// How much longer than its longest call an old version may take before that is logged.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// One component's place in the application.
pub(super) struct Place {
    seats: Vec<Arc<dyn Seat>>,
    /// Held while a version is made ready and put in its place: one at a time.
    swapping: Arc<tokio::sync::Mutex<()>>,
    history: Mutex<History>,
}

pub(super) struct History {
    pub live: Version,
    /// Kept ready, so that a rollback needs nothing but itself.
    pub previous: Option<Version>,
    retired: Vec<Retired>,
    pub last_number: u32,
}

/// Holds no code: that goes with the last instance.
struct Retired {
    number: u32,
    sha256: String,
    since: DateTime<Utc>,
    life: Arc<Life>,
}

impl Place {
    pub fn new(live: Version, seats: Vec<Arc<dyn Seat>>) -> Self {
        let history = History {
            last_number: live.number,
            live,
            previous: None,
            retired: Vec::new(),
        };
        Self {
            seats,
            swapping: Arc::default(),
            history: Mutex::new(history),
        }
    }

    /// Whether any trigger calls what is here.
    pub fn is_called(&self) -> bool {
        !self.seats.is_empty()
    }

    /// Keeps others from swapping, until what is returned is dropped; `None` if another does.
    pub fn reserve(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.swapping).try_lock_owned().ok()
    }

    pub fn prepare(&self, component: &Component) -> anyhow::Result<Vec<Commit>> {
        let seats = self.seats.iter();
        seats.map(|seat| seat.prepare(component)).collect()
    }

    /// From here on nothing fails: every seat takes its new version, and the old one's time is over.
    pub fn commit(&self, commits: Vec<Commit>, change: impl FnOnce(&mut History)) {
        let mut history = self.history();
        let old = Retired {
            number: history.live.number,
            sha256: history.live.sha256.clone(),
            since: clock::now(),
            life: Arc::clone(history.live.component.life()),
        };
        let patience = history.live.component.longest_call() + DRAIN_GRACE;
        change(&mut history);
        for commit in commits {
            commit();
        }
        old.life.end();
        tokio::spawn(watch(
            history.live.component.manifest.id.clone(),
            old.number,
            Arc::clone(&old.life),
            patience,
        ));
        history.retired.retain(|version| !version.life.is_drained());
        history.retired.push(old);
    }

    pub fn live(&self, id: &str) -> Live {
        let history = self.history();
        Live {
            id: id.to_owned(),
            version: history.live.number,
            sha256: history.live.sha256.clone(),
            previous: history.previous.as_ref().map(|version| version.number),
        }
    }

    pub fn report(&self, id: &str) -> Report {
        let mut history = self.history();
        history.retired.retain(|version| !version.life.is_drained());
        let draining = history.retired.iter().map(|version| Draining {
            version: version.number,
            sha256: version.sha256.clone(),
            since: version.since,
            load: version.life.load(),
        });
        Report {
            id: id.to_owned(),
            version: history.live.number,
            sha256: history.live.sha256.clone(),
            source: history.live.source.clone(),
            since: history.live.since,
            load: history.live.component.life().load(),
            previous: history.previous.as_ref().map(|version| version.number),
            draining: draining.collect(),
        }
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        // Nothing panics while it is held; if it did, each field would still be whole.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says so if an old version does not finish.
async fn watch(component: String, version: u32, life: Arc<Life>, patience: Duration) {
    if tokio::time::timeout(patience, life.drained()).await.is_ok() {
        tracing::debug!(component, version, "an old version has finished");
        return;
    }
    let load = life.load();
    tracing::warn!(
        component,
        version,
        requests = load.requests_in_flight,
        events = load.events_in_flight,
        instances = load.instances,
        "an old version has not finished within {} ms",
        patience.as_millis()
    );
}
