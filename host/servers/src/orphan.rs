//! Servers that a killed process left behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use crate::process;

const STOP_MS_MAX: u64 = 15_000;
const LOOK_EVERY_MS: u64 = 20;

/// Writes down which process runs the folder.
pub(crate) fn note(folder: &Path, pid: u32) -> anyhow::Result<()> {
    let path = folder.join("pid");
    fs::write(&path, pid.to_string()).with_context(|| format!("could not write {}", path.display()))
}

/// Stops the process that was written down last, if it still runs this folder. The caller holds
/// the folder's lock: nobody who could need that server is alive.
pub(crate) async fn stop(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    if let Ok(pid) = text.trim().parse() {
        end(folder, pid).await?;
    }
    fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))
}

async fn end(folder: &Path, pid: u32) -> anyhow::Result<()> {
    for signal in ["INT", "TERM", "KILL"] {
        let deadline = Instant::now() + Duration::from_millis(STOP_MS_MAX);
        if !runs(folder, pid) {
            return Ok(());
        }
        process::send(pid, signal);
        while Instant::now() < deadline {
            if !runs(folder, pid) {
                return Ok(());
            }
            sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    }
    bail!(
        "process {pid} runs in {} and cannot be stopped",
        folder.display()
    )
}

/// A pid may belong to somebody else by now. Every server works inside its folder, and shows it.
pub(crate) fn runs(folder: &Path, pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
}
