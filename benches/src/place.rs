//! Where what is measured was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Programs and components, all of them there.
pub struct Place {
    pub root: PathBuf,
    pub host: PathBuf,
    wasmtime: PathBuf,
}

impl Place {
    /// `host` stands in for the host that was built here.
    pub fn find(host: Option<&Path>) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let built = root.join("target/release/praxis");
        let place = Self {
            host: host.map_or(built, Path::to_path_buf),
            wasmtime: root.join("target/bench-tools/wasmtime"),
            root,
        };
        there(&place.host)?;
        Ok(place)
    }

    /// `wasmtime serve`, to compare with.
    pub fn wasmtime(&self) -> anyhow::Result<&Path> {
        there(&self.wasmtime)
    }

    /// Brings a database up to date.
    pub fn migrate(&self, services: &[(&str, String)]) -> anyhow::Result<()> {
        let migrated = Command::new(&self.host)
            .arg("migrate")
            .envs(services.iter().map(|(name, value)| (name, value)))
            .output()
            .context("could not run praxis migrate")?;
        ensure!(migrated.status.success(), "praxis migrate: {migrated:?}");
        Ok(())
    }

    pub fn component(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.root.join(format!("target/components/{name}.wasm"));
        ensure!(path.exists(), "{} is not there: make bench", path.display());
        Ok(path.canonicalize()?)
    }
}

fn there(program: &Path) -> anyhow::Result<&Path> {
    ensure!(
        program.exists(),
        "{} is not there: make bench",
        program.display()
    );
    Ok(program)
}
