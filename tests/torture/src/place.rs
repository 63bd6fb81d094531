//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use praxis_tests::place;

/// What a run is made of, and the folder that is its own.
#[derive(Debug, Clone)]
pub struct Place {
    /// The project: hosts are started there, for the sake of its manifest.
    pub root: &'static Path,
    /// The built `praxis`.
    pub praxis: PathBuf,
    /// The server that stands in for OpenSearch.
    pub index: PathBuf,
    /// Kept after the run, for its logs; emptied before the next one.
    pub folder: PathBuf,
}

impl Place {
    pub fn of(run: &str) -> anyhow::Result<Self> {
        let root = place::root();
        let target = root.join("target");
        let folder = target.join("torture").join(run);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("could not empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        Ok(Self {
            root,
            praxis: there(target.join("release/praxis"), "make components host")?,
            index: there(target.join("tools/bin/osmem-server"), "tests/tools.sh test")?,
            folder,
        })
    }
}

fn there(path: PathBuf, how: &str) -> anyhow::Result<PathBuf> {
    ensure!(path.exists(), "{} is missing: {how}", path.display());
    Ok(path)
}
