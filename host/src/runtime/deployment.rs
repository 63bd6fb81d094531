//! Components that change while the application runs.
//!
//! A swap has two phases. First the new version is made ready beside the live one: compiled, linked
//! with the grants of its table in the manifest, instantiated once, and accepted by every trigger
//! that calls the component. If any of it fails, nothing has changed. Then all triggers take it in
//! one go. Work that had begun finishes on the version it began with.

mod place;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::OwnedMutexGuard;
use wasmtime::PoolConcurrencyLimitError;

use self::place::Place;
use super::application::{Application, Workshop};
use super::component::Component;
use super::life::Load;
use crate::clock;

/// The largest file that is taken as a component.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// How long a new version may take to be instantiated.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look whether there is room for one more instance.
const ROOM_INTERVAL: Duration = Duration::from_millis(10);

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
    /// Of the code that runs: the file with what is inside it.
    pub(super) code: Sha256,
    pub component: Component,
}

/// A digest.
pub(super) type Sha256 = [u8; 32];

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
    #[error("there is no component {0:?}: /v1/ops/components lists those there are")]
    Unknown(String),
    #[error("component {0:?} is being swapped already")]
    Busy(String),
    #[error("nothing calls the component {id:?}{}", part_of(.around))]
    Uncalled {
        id: String,
        /// The components that it is inside of: they change with it.
        around: Vec<String>,
    },
    #[error("component {0:?} has no version to go back to")]
    NothingBefore(String),
    #[error("{0:#}")]
    Unfit(anyhow::Error),
}

fn part_of(around: &[String]) -> String {
    match around {
        [] => String::new(),
        [..] => {
            let around = around.join(" and ");
            format!(": it is part of {around}; swap {around}")
        }
    }
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

    /// Puts `wasm` in the place of the component's live version. What is live already, the file
    /// with all that is inside it and its `files`, changes nothing: a swap may be sent again.
    pub async fn swap(&self, id: &str, source: String, wasm: Vec<u8>) -> Result<Live, Refused> {
        self.begin(id)?.swap(source, wasm).await
    }

    /// Keeps the component's place for one swap. Says what stands in the way of any, before there
    /// is a file.
    pub fn begin<'a>(&'a self, id: &'a str) -> Result<Swap<'a>, Refused> {
        let place = self.place(id)?;
        if !place.is_called() {
            let around = self.workshop.manifest().around(id);
            return Err(Refused::Uncalled {
                id: id.to_owned(),
                around: around.map(|outer| outer.id.clone()).collect(),
            });
        }
        let busy = || Refused::Busy(id.to_owned());
        Ok(Swap {
            id,
            place,
            workshop: &self.workshop,
            reserved: place.reserve().ok_or_else(busy)?,
        })
    }

    /// Puts the version before the live one back into its place. The one that was live is let go:
    /// there is one step back, not two.
    pub fn rollback(&self, id: &str) -> Result<Live, Refused> {
        let place = self.place(id)?;
        let reserved = place.reserve();
        let _reserved = reserved.ok_or_else(|| Refused::Busy(id.to_owned()))?;
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
}

/// One component's place, kept for one swap: there is no other until this is done or dropped.
pub struct Swap<'a> {
    id: &'a str,
    place: &'a Place,
    workshop: &'a Arc<Workshop>,
    reserved: OwnedMutexGuard<()>,
}

impl Swap<'_> {
    /// As [`Deployments::swap`].
    pub async fn swap(self, source: String, wasm: Vec<u8>) -> Result<Live, Refused> {
        let (id, place) = (self.id, self.place);
        let (made, _reserved) = self.make(wasm).await.map_err(Refused::Unfit)?;
        let Some(made) = made else {
            return Ok(place.live(id));
        };
        probe(&made.component).await.map_err(Refused::Unfit)?;
        let commits = place.prepare(&made.component).map_err(Refused::Unfit)?;
        place.commit(commits, |history| {
            history.last_number += 1;
            let next = Version {
                number: history.last_number,
                sha256: made.sha256,
                source,
                since: clock::now(),
                code: made.code,
                component: made.component,
            };
            let old = std::mem::replace(&mut history.live, next);
            history.previous = Some(old);
        });
        Ok(place.live(id))
    }

    /// `None` if it is what is live already. Whoever waits for it may give up, but not the
    /// compiler: as long as it works the place stays reserved.
    async fn make(self, wasm: Vec<u8>) -> anyhow::Result<(Option<Made>, OwnedMutexGuard<()>)> {
        ensure!(
            wasm.len() <= COMPONENT_BYTES_MAX,
            "the file has more than {COMPONENT_BYTES_MAX} bytes"
        );
        let workshop = Arc::clone(self.workshop);
        let id = self.id.to_owned();
        let live = self.place.history().live.clone();
        let reserved = self.reserved;
        let made = tokio::task::spawn_blocking(move || {
            let made = workshop.make(&id, &wasm)?;
            let is_live = made.is(&live)?;
            Ok((Some(made).filter(|_| !is_live), reserved))
        });
        made.await.context("compiling it panicked")?
    }
}

/// A component, and the digests of its file and of its code.
pub(super) struct Made {
    pub sha256: String,
    pub code: Sha256,
    pub component: Component,
}

impl Made {
    fn is(&self, live: &Version) -> anyhow::Result<bool> {
        Ok(self.code == live.code && self.component.has_files_of(&live.component)?)
    }
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
