//! All components of a manifest, compiled and linked with exactly what they are granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;

use super::component::{Component, MEMORY_BYTES_DEFAULT};
use super::deployment::{Made, Version};
use super::engine::{Engines, MEMORY_BYTES_CEILING};
use crate::capabilities::Capability;
use crate::clock;
use crate::manifest::{self, Manifest};

/// What every component may import: it reaches nothing outside by itself.
const ALWAYS_GRANTED: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:io/",
    "wasi:random/",
    "wasi:filesystem/",
    "wasi:http/",
];
/// Linked because the Rust standard library imports it; no address is ever granted.
const LINKED_WITHOUT_GRANTS: &str = "wasi:sockets/";

/// The components of one application, by id.
pub struct Application {
    workshop: Arc<Workshop>,
    versions: BTreeMap<String, Version>,
}

/// Makes components out of files: what the manifest says of them holds for every version.
pub(super) struct Workshop {
    engines: Engines,
    manifest: Manifest,
    capabilities: Vec<Arc<dyn Capability>>,
}

impl Application {
    /// Compiles and links every component; says all that is wrong at once.
    pub fn load(
        engines: &Engines,
        manifest: &Manifest,
        capabilities: &[Arc<dyn Capability>],
    ) -> anyhow::Result<Self> {
        let workshop = Workshop {
            engines: engines.clone(),
            manifest: manifest.clone(),
            capabilities: capabilities.to_vec(),
        };
        let mut versions = BTreeMap::new();
        let mut faults = Vec::new();
        for (id, component) in &manifest.component {
            match workshop.first(component) {
                Ok(version) => {
                    versions.insert(id.clone(), version);
                }
                Err(fault) => faults.push(format!("component {id:?}: {fault:#}")),
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
    /// What the component's `source` is now.
    fn first(&self, component: &manifest::Component) -> anyhow::Result<Version> {
        let path = self.manifest.folder.join(&component.source);
        ensure!(
            path.exists(),
            "its source {} is not there: build the components first",
            path.display()
        );
        let wasm = std::fs::read(&path)
            .with_context(|| format!("could not read its source {}", path.display()))?;
        let made = self
            .make(&component.id, &wasm)
            .with_context(|| format!("in {}", path.display()))?;
        Ok(Version {
            number: 1,
            sha256: made.sha256,
            source: component.source.display().to_string(),
            since: clock::now(),
            component: made.component,
        })
    }

    /// A version of the component that is linked with what its table in the manifest grants.
    ///
    /// # Panics
    /// If the manifest has no such component: whoever calls has its place.
    pub(super) fn make(&self, id: &str, wasm: &[u8]) -> anyhow::Result<Made> {
        let component = self.manifest.component(id);
        let engine = self.engines.of(&component.tool.praxis)?;
        Ok(Made {
            sha256: hex::encode(Sha256::digest(wasm)),
            component: link(engine, component, &self.capabilities, wasm)?,
        })
    }
}

fn link(
    engine: &Engine,
    component: &manifest::Component,
    capabilities: &[Arc<dyn Capability>],
    wasm: &[u8],
) -> anyhow::Result<Component> {
    let memory = component.tool.praxis.memory_bytes_max;
    ensure!(
        memory.unwrap_or(MEMORY_BYTES_DEFAULT) <= MEMORY_BYTES_CEILING,
        "memory_bytes_max is more than {MEMORY_BYTES_CEILING}"
    );
    let compiled = wasmtime::component::Component::from_binary(engine, wasm)
        .map_err(|fault| anyhow!("could not compile it: {fault:#}"))?;

    let granted: Vec<_> = capabilities
        .iter()
        .filter(|capability| capability.is_granted(component))
        .cloned()
        .collect();
    let imports: Vec<String> = compiled
        .component_type()
        .imports(engine)
        .filter(|(_, item)| does_something(engine, &item.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    check_grants(&imports, &granted, capabilities)?;
    let mut linker = praxis_wasi::linker(engine)?;
    for capability in &granted {
        capability.link(&mut linker)?;
    }
    let pre = linker.instantiate_pre(&compiled)?;
    Ok(Component {
        manifest: Arc::new(component.clone()),
        engine: engine.clone(),
        pre,
        capabilities: granted.into(),
        life: Arc::default(),
    })
}

/// Whether an import holds a function or a resource. Plain types need no grant.
fn does_something(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(interface) => interface
            .exports(engine)
            .any(|(_, export)| does_something(engine, &export.ty)),
        ComponentItem::Type(_) => false,
        _ => true,
    }
}

/// Every import must be granted; what is not is named.
fn check_grants(
    imports: &[String],
    granted: &[Arc<dyn Capability>],
    known: &[Arc<dyn Capability>],
) -> anyhow::Result<()> {
    let provides = |capabilities: &[Arc<dyn Capability>], name: &str| {
        capabilities
            .iter()
            .any(|capability| capability.interfaces().contains(&name))
    };
    let mut faults = Vec::new();
    for import in imports {
        let name = import.split('@').next().unwrap_or(import);
        let always = ALWAYS_GRANTED.iter().any(|prefix| name.starts_with(prefix))
            || name.starts_with(LINKED_WITHOUT_GRANTS);
        if always || provides(granted, name) {
            continue;
        }
        faults.push(if provides(known, name) {
            format!("it imports {import}, which its table in the manifest does not grant")
        } else {
            format!("it imports {import}, which this host does not have")
        });
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    Ok(())
}
