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
        Ok(Self {
            praxis: built(target.join("release/praxis"), "make host")?,
            recorder: built(
                target.join("components/recorder.wasm"),
                "make component-recorder",
            )?,
            folder: target.join("faults").join(run),
        })
    }
}

fn built(path: PathBuf, how: &str) -> anyhow::Result<PathBuf> {
    ensure!(path.exists(), "{} is missing: {how}", path.display());
    Ok(path)
}
