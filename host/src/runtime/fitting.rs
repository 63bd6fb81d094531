//! A component's code, linked with exactly what its table in the manifest grants, or all that
//! stands in the way.

use std::path::Path;
use std::sync::Arc;

use praxis_wasi::State;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::InstancePre;

use super::code::{self, Surface};
use super::component::MEMORY_BYTES_DEFAULT;
use super::composition;
use super::engine::{Engines, MEMORY_BYTES_CEILING};
use super::grants;
use crate::capabilities::Capability;
use crate::manifest::{Component, Dependency, DependencySource, Fault, Manifest};

/// What components are fitted with: shared by all of an application.
pub struct Bench {
    engines: Engines,
    pub manifest: Manifest,
    pub capabilities: Vec<Arc<dyn Capability>>,
}

/// A component that is ready to be instantiated.
pub struct Fitted {
    pub engine: Engine,
    /// Of the code with all that is inside it; `None` if nothing is.
    pub composed: Option<[u8; 32]>,
    pub pre: InstancePre<State>,
    pub granted: Vec<Arc<dyn Capability>>,
    pub surface: Surface,
}

/// Why a component cannot run, one line each, and what of it could be seen all the same.
#[derive(Debug, Default)]
pub struct Misfit {
    pub faults: Vec<String>,
    pub surface: Surface,
}

impl Misfit {
    fn one(fault: impl Into<String>) -> Self {
        Self {
            faults: vec![fault.into()],
            surface: Surface::default(),
        }
    }
}

impl Bench {
    pub fn new(
        engines: &Engines,
        manifest: &Manifest,
        capabilities: &[Arc<dyn Capability>],
    ) -> Self {
        Self {
            engines: engines.clone(),
            manifest: manifest.clone(),
            capabilities: capabilities.to_vec(),
        }
    }

    /// What the component's `source` holds now.
    pub fn read(&self, component: &Component) -> Result<Vec<u8>, String> {
        read(&self.manifest.folder.join(&component.source))
    }

    /// Compiles and links; says all that is wrong at once.
    pub fn fit(&self, component: &Component, wasm: &[u8]) -> Result<Fitted, Misfit> {
        let engine = self.engines.of(&component.tool.praxis);
        let engine = engine.map_err(|fault| Misfit::one(format!("{fault:#}")))?;
        let composed = self.compose(component, wasm)?;
        let code = code::compile(engine, composed.as_deref().unwrap_or(wasm))
            .map_err(|why| Misfit::one(why.to_string()))?;
        let surface = Surface::of(engine, &code);
        let granted: Vec<_> = self
            .capabilities
            .iter()
            .filter(|capability| capability.is_granted(component))
            .cloned()
            .collect();
        let mut faults = grants::check(&surface.imports, component, &granted);
        faults.extend(surface.check_triggers(&self.manifest, &component.id));
        let memory = component.tool.praxis.memory_bytes_max;
        let memory = memory.unwrap_or(MEMORY_BYTES_DEFAULT);
        if memory > MEMORY_BYTES_CEILING {
            faults.push(format!(
                "its memory_bytes_max is {memory}; this host gives {MEMORY_BYTES_CEILING} at most"
            ));
        }
        if !faults.is_empty() {
            return Err(Misfit { faults, surface });
        }
        match link(engine, &granted, &code) {
            Ok(pre) => Ok(Fitted {
                engine: engine.clone(),
                composed: composed.map(|code| Sha256::digest(code).into()),
                pre,
                granted,
                surface,
            }),
            Err(fault) => Err(Misfit {
                faults: vec![format!(
                    "could not link it: {fault:#}; build it for what this host has"
                )],
                surface,
            }),
        }
    }

    /// The component with what is inside it; `None` if nothing is.
    fn compose(&self, component: &Component, wasm: &[u8]) -> Result<Option<Vec<u8>>, Misfit> {
        if component.dependencies.is_empty() {
            return Ok(None);
        }
        let read = |dependency: &Dependency| match &dependency.source {
            DependencySource::Path(path) => read(&self.manifest.folder.join(path)),
            DependencySource::Component(id) => match self.manifest.component.get(id) {
                Some(inner) => self.read(inner),
                None => Err(format!("the manifest has no component {id:?}")),
            },
        };
        match composition::compose(component, wasm, read) {
            Ok(composed) => Ok(Some(composed)),
            Err(faults) => Err(Misfit {
                faults,
                ..Misfit::default()
            }),
        }
    }

    /// A component's fault, with the place where the manifest describes it.
    pub fn fault(&self, component: &Component, what: &str) -> Fault {
        let source = component.source.display();
        Fault {
            file: self.manifest.path.clone(),
            place: component.place,
            what: format!("component {:?} ({source}): {what}", component.id),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{} is not there; build it first", path.display())
        }
        _ => format!("could not read {}: {fault}", path.display()),
    })
}

fn link(
    engine: &Engine,
    granted: &[Arc<dyn Capability>],
    code: &wasmtime::component::Component,
) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = praxis_wasi::linker(engine)?;
    for capability in granted {
        capability.link(&mut linker)?;
    }
    linker.instantiate_pre(code)
}
