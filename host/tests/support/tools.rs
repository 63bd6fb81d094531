//! Programs that tests run against.

use std::path::{Path, PathBuf};

/// A program under `target/tools/bin`, or under PRAXIS_TEST_TOOLS.
pub fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("PRAXIS_TEST_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin"),
        PathBuf::from,
    );
    let program = folder.join(name);
    assert!(
        program.exists(),
        "there is no {}: `tests/tools.sh test` installs it",
        program.display()
    );
    program
}
