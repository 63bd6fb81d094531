//! All components of a manifest, compiled and linked with exactly what they are granted.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{anyhow, bail, ensure};
use sha2::{Digest as _, Sha256};

use super::component::Component;
use super::console::Allowance;
use super::deployment::{Made, Version};
use super::engine::Engines;
use super::files::Files;
use super::fitter::{Fitted, Fitter};
use super::shelf::Shelf;
use crate::capabilities::Capability;
use crate::clock;
use crate::manifest::{self, Fault, Manifest};

/// The components of one application, by id.
pub struct Application {
    workshop: Arc<Workshop>,
    versions: BTreeMap<String, Version>,
}

/// Makes components out of files: what the manifest says of them holds for every version.
pub(super) struct Workshop {
    bench: Fitter,
    shelf: Shelf,
}

impl Application {
    /// Compiles and links every component; says all that is wrong at once. Copies of their `files`
    /// are kept in the host's folder `data`, which other processes may use, too.
    pub fn load(
        engines: &Engines,
        manifest: &Manifest,
        capabilities: &[Arc<dyn Capability>],
        data: &Path,
    ) -> anyhow::Result<Self> {
        let workshop = Workshop {
            bench: Fitter::new(engines, manifest, capabilities),
            shelf: Shelf::new(data)?,
        };
        let mut versions = BTreeMap::new();
        let mut faults = Vec::new();
        let components: Vec<_> = manifest.component.values().collect();
        let made = on_all_cores(&components, |component| workshop.first(component));
        for (component, made) in components.iter().zip(made) {
            match made {
                Ok(version) => {
                    versions.insert(component.id.clone(), version);
                }
                Err(found) => faults.extend(found.iter().map(Fault::to_string)),
            }
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        Ok(Self {
            workshop: Arc::new(workshop),
            versions,
        })
    }

    /// A component that a trigger names.
    ///
    /// # Panics
    /// If it is not there: the manifest's check has seen every name.
    pub fn component(&self, id: &str) -> &Component {
        let version = self.versions.get(id);
        &version
            .expect("the manifest's check has seen every trigger's component")
            .component
    }

    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.versions.values().map(|version| &version.component)
    }

    pub(super) fn into_parts(self) -> (Arc<Workshop>, BTreeMap<String, Version>) {
        (self.workshop, self.versions)
    }
}

impl Workshop {
    /// What the component's `source` is now, or all that is wrong with it.
    fn first(&self, component: &manifest::Component) -> Result<Version, Vec<Fault>> {
        let bench = &self.bench;
        let wasm = bench.read(component);
        let wasm = wasm.map_err(|why| vec![bench.fault(component, &why)])?;
        let fitted = bench.fit(component, &wasm).map_err(|misfit| {
            let faults = misfit.faults.iter();
            faults
                .map(|why| bench.fault(component, why))
                .collect::<Vec<_>>()
        })?;
        let made = self.finish(component, fitted, &wasm);
        let made = made.map_err(|why| vec![bench.fault(component, &why)])?;
        Ok(Version {
            number: 1,
            sha256: made.sha256,
            source: component.source.display().to_string(),
            since: clock::now(),
            code: made.code,
            component: made.component,
        })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.bench.manifest
    }

    /// A version of the component that is linked with what its table in the manifest grants.
    ///
    /// # Panics
    /// If the manifest has no such component: whoever calls has its place.
    pub(super) fn make(&self, id: &str, wasm: &[u8]) -> anyhow::Result<Made> {
        let component = self.bench.manifest.component(id);
        match self.bench.fit(component, wasm) {
            Ok(fitted) => {
                let made = self.finish(component, fitted, wasm);
                made.map_err(|why| anyhow!(why))
            }
            Err(misfit) => bail!("{}", misfit.faults.join("; ")),
        }
    }

    fn finish(
        &self,
        component: &manifest::Component,
        fitted: Fitted,
        wasm: &[u8],
    ) -> Result<Made, String> {
        let files = Files::gather(&self.bench.manifest.folder, component, &self.shelf);
        let files = files.map_err(|error| format!("{error:#}"))?;
        let file = Sha256::digest(wasm).into();
        let sha256 = hex::encode(file);
        Ok(Made {
            sha256: sha256.clone(),
            code: fitted.composed.unwrap_or(file),
            component: Component {
                manifest: Arc::new(component.clone()),
                sha256: sha256.into(),
                engine: fitted.engine,
                pre: fitted.pre,
                capabilities: fitted.granted.into(),
                life: Arc::default(),
                files: files.map(Arc::new),
                printing: Arc::new(Allowance::new(&component.id)),
            },
        })
    }
}

/// The outcomes in the order of the items. Code that is in the cache is read and linked by one
/// thread each: of an application's start-up this is the largest part.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let one = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else {
                break done;
            };
            done.push((place, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|threads| {
        let threads: Vec<_> = (0..cores).map(|_| threads.spawn(one)).collect();
        let parts = threads.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        parts.flatten().collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
