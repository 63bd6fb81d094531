//! Where things are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the project")
}

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let deps = test.parent().expect("it lies in target/PROFILE/deps");
    let target = deps
        .ancestors()
        .nth(2)
        .expect("it lies in target/PROFILE/deps");
    target.to_path_buf()
}

/// The built `praxis`.
///
/// # Panics
/// If it is not there.
pub fn praxis() -> PathBuf {
    let praxis = target().join("release/praxis");
    assert!(
        praxis.exists(),
        "{} is missing: make components host",
        praxis.display()
    );
    praxis
}

/// Gives a host's data folder, which is new, the code that hosts of other tests have compiled: else each
/// would compile the components anew, for ten seconds.
///
/// # Panics
/// If the folders can't be made.
pub fn share_compiled(data: &Path) {
    let shared = root().join("target/tests/compiled");
    fs::create_dir_all(&shared).expect("a folder can be made");
    fs::create_dir_all(data).expect("a folder can be made");
    symlink(shared, data.join("compiled")).expect("a new folder has nothing in it");
}

/// A program that `tests/tools.sh` installs.
///
/// # Panics
/// If it is not there.
pub fn tool(name: &str) -> PathBuf {
    let tool = root().join("target/tools/bin").join(name);
    assert!(
        tool.exists(),
        "{} is missing: tests/tools.sh test",
        tool.display()
    );
    tool
}
