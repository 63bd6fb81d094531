//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// What a run is made of, and the folder that is its own.
#[derive(Debug, Clone)]
pub struct Place {
    /// The built `praxis`.
    pub praxis: PathBuf,
    /// The built `tests/guests/recorder`.
    pub recorder: PathBuf,
    /// The built `tests/guests/batcher`.
    pub batcher: PathBuf,
    /// Kept after the run, for its logs; emptied before the next one.
    pub folder: PathBuf,
}

impl Place {
    pub fn of(run: &str) -> anyhow::Result<Self> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("tests/faults lies in the project")?;
        let target = project.join("target");
        let component = |name: &str| {
            let file = target.join(format!("components/{name}.wasm"));
            built(file, &format!("make component-{name}"))
        };
        Ok(Self {
            praxis: built(target.join("release/praxis"), "make host")?,
            recorder: component("recorder")?,
            batcher: component("batcher")?,
            folder: target.join("faults").join(run),
        })
    }
}

fn built(path: PathBuf, how: &str) -> anyhow::Result<PathBuf> {
    ensure!(path.exists(), "{} is missing: {how}", path.display());
    Ok(path)
}
