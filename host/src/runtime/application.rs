//! All components of a manifest, compiled and linked with exactly what they are granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;

use super::component::{Component, MEMORY_BYTES_DEFAULT};
use super::engine::MEMORY_BYTES_CEILING;
use crate::capabilities::Capability;
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
    components: BTreeMap<String, Component>,
}

impl Application {
    /// Compiles and links every component; says all that is wrong at once.
    pub fn load(
        engine: &Engine,
        manifest: &Manifest,
        capabilities: &[Arc<dyn Capability>],
    ) -> anyhow::Result<Self> {
        let base = praxis_wasi::linker(engine)?;
        let mut components = BTreeMap::new();
        let mut faults = Vec::new();
        for (id, component) in &manifest.component {
            let linked = link(engine, manifest, component, capabilities, base.clone())
                .with_context(|| format!("component {id:?}"));
            match linked {
                Ok(component) => {
                    components.insert(id.clone(), component);
                }
                Err(fault) => faults.push(format!("{fault:#}")),
            }
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        Ok(Self { components })
    }

    /// A component that a trigger names.
    ///
    /// # Panics
    /// If it is not there: the manifest's check has seen every name.
    pub fn component(&self, id: &str) -> &Component {
        self.components
            .get(id)
            .expect("the manifest's check has seen every trigger's component")
    }

    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.components.values()
    }
}

fn link(
    engine: &Engine,
    manifest: &Manifest,
    component: &manifest::Component,
    capabilities: &[Arc<dyn Capability>],
    mut linker: wasmtime::component::Linker<praxis_wasi::State>,
) -> anyhow::Result<Component> {
    let memory = component.tool.praxis.memory_bytes_max;
    ensure!(
        memory.unwrap_or(MEMORY_BYTES_DEFAULT) <= MEMORY_BYTES_CEILING,
        "memory_bytes_max is more than {MEMORY_BYTES_CEILING}"
    );
    let path = manifest.folder.join(&component.source);
    ensure!(
        path.exists(),
        "its source {} is not there: build the components first",
        path.display()
    );
    let compiled = wasmtime::component::Component::from_file(engine, &path)
        .map_err(|fault| anyhow!("could not compile {}: {fault:#}", path.display()))?;

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
    for capability in &granted {
        capability.link(&mut linker)?;
    }
    let pre = linker.instantiate_pre(&compiled)?;
    Ok(Component {
        manifest: Arc::new(component.clone()),
        engine: engine.clone(),
        pre,
        capabilities: granted.into(),
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
