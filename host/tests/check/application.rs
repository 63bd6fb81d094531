//! An application in a folder of its own, and what is found out about it.

use std::path::{Path, PathBuf};

use praxis_host::cli::check::{Findings, examine};
use praxis_host::manifest::{Fault, Reading};
use tempfile::TempDir;

pub struct Application(TempDir);

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"app\"\n";

impl Application {
    /// With this after the head of its manifest.
    pub fn of(manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spin.toml"), format!("{HEAD}{manifest}")).unwrap();
        Self(folder)
    }

    /// With one component, `a`, on every path, and this in its table.
    pub fn of_one(wasm: &[u8], table: &str) -> Self {
        Self::of(&format!(
            "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\n{table}"
        ))
        .with("a.wasm", wasm)
    }

    pub fn with(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
        self
    }

    pub fn manifest(&self) -> PathBuf {
        self.0.path().join("spin.toml")
    }

    pub async fn examine(&self) -> Findings {
        // Another test may have been here first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let reading = Reading::of_file(&self.manifest()).unwrap();
        examine(reading, &compiled()).await.unwrap()
    }

    /// All that is wrong, without the folder's name.
    pub async fn faults(&self) -> Vec<String> {
        self.lines(&self.examine().await.faults)
    }

    pub fn lines(&self, faults: &[Fault]) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let lines = faults
            .iter()
            .map(|fault| fault.to_string().replace(&folder, ""));
        lines.collect()
    }
}

/// Not in a test's own folder: a thread of the engine tidies up there, and outlives the test.
pub fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("check")
}

/// The bytes of a built guest.
pub fn built(name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components");
    let path = target.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{} is not built: make component-{name}", path.display()))
}

/// A component that imports one function of an interface, and exports nothing.
pub fn importing(interface: &str) -> Vec<u8> {
    let text = format!(r#"(component (import "{interface}" (instance (export "f" (func)))))"#);
    wat::parse_str(text).unwrap()
}
