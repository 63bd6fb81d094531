//! Components that change while the application runs.
//!
//! A swap has two phases. First the new version is made ready beside the live one: compiled, linked
//! with the grants of its table in the manifest, instantiated once, and accepted by every trigger
//! that calls the component. If any of it fails, nothing has changed. Then all triggers take it in
//! one go. Work that had begun finishes on the version it began with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use wasmtime::PoolConcurrencyLimitError;

use super::application::{Application, Workshop};
use super::component::Component;
use super::life::{Life, Load};
use crate::clock;

/// The largest file that is taken as a component.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// How long a new version may take to be instantiated.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look whether there is room for one more instance.
const ROOM_INTERVAL: Duration = Duration::from_millis(10);
/// How much longer than its longest call an old version may take before that is logged.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// A place in a trigger where a component is called from.
pub trait Seat: Send + Sync {
    /// Checks that the component exports what the trigger calls, and makes it ready. Until the
    /// commit is called, nothing has changed; the commit itself cannot fail.
    fn prepare(&self, component: &Component) -> anyhow::Result<Commit>;
}

/// Makes what was prepared the one that is called.
pub type Commit = Box<dyn FnOnce() + Send>;

/// A component's file, as it was at one time.
#[derive(Clone)]
pub struct Version {
    /// 1 is what the application started with; numbers are not used twice.
    pub number: u32,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// The file's path, or `upload`.
    pub source: String,
    /// When it became the live one.
    pub since: DateTime<Utc>,
    pub component: Component,
}

/// What is live after a swap or a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    pub id: String,
    pub version: u32,
    pub sha256: String,
    /// The version that a rollback goes back to.
    pub previous: Option<u32>,
}

/// Why nothing was swapped.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no component {0:?}")]
    Unknown(String),
    #[error("component {0:?} is being swapped already")]
    Busy(String),
    #[error("component {0:?} has no version to go back to")]
    NothingBefore(String),
    #[error("{0:#}")]
    Unfit(anyhow::Error),
}

/// How one component is deployed.
#[derive(Debug, Serialize)]
pub struct Report {
    pub id: String,
    pub version: u32,
    pub sha256: String,
    pub source: String,
    pub since: DateTime<Utc>,
    #[serde(flatten)]
    pub load: Load,
    /// The version that a rollback goes back to.
    pub previous: Option<u32>,
    /// Older versions that have not finished yet.
    pub draining: Vec<Draining>,
}

/// An old version that has not finished yet.
#[derive(Debug, Serialize)]
pub struct Draining {
    pub version: u32,
    pub sha256: String,
    /// When it stopped being the live one.
    pub since: DateTime<Utc>,
    #[serde(flatten)]
    pub load: Load,
}

/// The seats of an application, by the id of the component that sits there.
#[derive(Default)]
pub struct Seats(BTreeMap<String, Vec<Arc<dyn Seat>>>);

impl Seats {
    pub fn add(&mut self, component: &str, seat: Arc<dyn Seat>) {
        self.0.entry(component.to_owned()).or_default().push(seat);
    }
}

/// The deployed components of one application, by id.
pub struct Deployments {
    workshop: Arc<Workshop>,
    places: BTreeMap<String, Place>,
}

/// One component's place in the application.
struct Place {
    seats: Vec<Arc<dyn Seat>>,
    /// Held while a version is made ready and put in its place: one at a time.
    swapping: tokio::sync::Mutex<()>,
    history: Mutex<History>,
}

struct History {
    live: Version,
    /// Kept ready, so that a rollback needs nothing but itself.
    previous: Option<Version>,
    retired: Vec<Retired>,
    last_number: u32,
}

/// Holds no code: that goes with the last instance.
struct Retired {
    number: u32,
    sha256: String,
    since: DateTime<Utc>,
    life: Arc<Life>,
}

impl Deployments {
    /// What was loaded, and where it sits.
    pub fn new(application: Application, mut seats: Seats) -> Self {
        let (workshop, versions) = application.into_parts();
        let places = versions.into_iter().map(|(id, live)| {
            let seats = seats.0.remove(&id).unwrap_or_default();
            (id, Place::new(live, seats))
        });
        Self {
            places: places.collect(),
            workshop,
        }
    }

    /// Puts `wasm` in the place of the component's live version. The file that is live already
    /// changes nothing, so that a swap may be sent again.
    pub async fn swap(&self, id: &str, source: String, wasm: Vec<u8>) -> Result<Live, Refused> {
        let place = self.place(id)?;
        let Ok(_swapping) = place.swapping.try_lock() else {
            return Err(Refused::Busy(id.to_owned()));
        };
        let made = self.make(id, wasm).await.map_err(Refused::Unfit)?;
        if made.sha256 == place.history().live.sha256 {
            return Ok(place.live(id));
        }
        probe(&made.component).await.map_err(Refused::Unfit)?;
        let commits = place.prepare(&made.component).map_err(Refused::Unfit)?;
        place.commit(commits, |history| {
            history.last_number += 1;
            let next = Version {
                number: history.last_number,
                sha256: made.sha256,
                source,
                since: clock::now(),
                component: made.component,
            };
            let old = std::mem::replace(&mut history.live, next);
            history.previous = Some(old);
        });
        Ok(place.live(id))
    }

    /// Puts the version before the live one back into its place. The one that was live is let go:
    /// there is one step back, not two.
    pub fn rollback(&self, id: &str) -> Result<Live, Refused> {
        let place = self.place(id)?;
        let Ok(_swapping) = place.swapping.try_lock() else {
            return Err(Refused::Busy(id.to_owned()));
        };
        let previous = place.history().previous.clone();
        let mut version = previous.ok_or_else(|| Refused::NothingBefore(id.to_owned()))?;
        // Its first life is over.
        version.component = version.component.again();
        let prepared = place.prepare(&version.component).map_err(Refused::Unfit)?;
        place.commit(prepared, |history| {
            version.since = clock::now();
            history.live = version;
            history.previous = None;
        });
        Ok(place.live(id))
    }

    /// The number of the component's live version, where there is such a component.
    pub fn live(&self, id: &str) -> Option<u32> {
        let place = self.places.get(id)?;
        Some(place.history().live.number)
    }

    /// How each component is deployed, in the order of their ids.
    pub fn report(&self) -> Vec<Report> {
        let places = self.places.iter();
        places.map(|(id, place)| place.report(id)).collect()
    }

    fn place(&self, id: &str) -> Result<&Place, Refused> {
        let place = self.places.get(id);
        place.ok_or_else(|| Refused::Unknown(id.to_owned()))
    }

    async fn make(&self, id: &str, wasm: Vec<u8>) -> anyhow::Result<Made> {
        ensure!(
            wasm.len() <= COMPONENT_BYTES_MAX,
            "the file has more than {COMPONENT_BYTES_MAX} bytes"
        );
        let workshop = Arc::clone(&self.workshop);
        let id = id.to_owned();
        let made = tokio::task::spawn_blocking(move || workshop.make(&id, &wasm));
        made.await.context("compiling it panicked")?
    }
}

/// A component and the digest of its file.
pub(super) struct Made {
    pub sha256: String,
    pub component: Component,
}

/// Instantiates the component once, as soon as there is room. Nothing is sent to it.
async fn probe(component: &Component) -> anyhow::Result<()> {
    let instantiated = async {
        loop {
            let mut store = component.store();
            match component.pre().instantiate_async(&mut store).await {
                Err(fault) if fault.is::<PoolConcurrencyLimitError>() => {
                    drop(store);
                    tokio::time::sleep(ROOM_INTERVAL).await;
                }
                ended => return ended,
            }
        }
    };
    match tokio::time::timeout(PROBE_TIMEOUT, instantiated).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(fault)) => Err(anyhow!("it could not be instantiated: {fault:#}")),
        Err(_) => Err(anyhow!(
            "it was not instantiated within {} ms",
            PROBE_TIMEOUT.as_millis()
        )),
    }
}

impl Place {
    fn new(live: Version, seats: Vec<Arc<dyn Seat>>) -> Self {
        let history = History {
            last_number: live.number,
            live,
            previous: None,
            retired: Vec::new(),
        };
        Self {
            seats,
            swapping: tokio::sync::Mutex::default(),
            history: Mutex::new(history),
        }
    }

    fn prepare(&self, component: &Component) -> anyhow::Result<Vec<Commit>> {
        let seats = self.seats.iter();
        seats.map(|seat| seat.prepare(component)).collect()
    }

    /// From here on nothing fails: every seat takes its new version, and the old one's time is over.
    fn commit(&self, commits: Vec<Commit>, change: impl FnOnce(&mut History)) {
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

    fn live(&self, id: &str) -> Live {
        let history = self.history();
        Live {
            id: id.to_owned(),
            version: history.live.number,
            sha256: history.live.sha256.clone(),
            previous: history.previous.as_ref().map(|version| version.number),
        }
    }

    fn report(&self, id: &str) -> Report {
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

    fn history(&self) -> MutexGuard<'_, History> {
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
