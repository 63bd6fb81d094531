//! `praxis build`: runs the build commands that the manifest names.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::manifest::{Component, Manifest};

#[derive(Debug, Args)]
pub struct Build {
    /// The components to build: all that have a build command if none is named.
    components: Vec<String>,
    /// The application's manifest.
    #[arg(long, env = "PRAXIS_MANIFEST", default_value = "spin.toml")]
    manifest: PathBuf,
}

impl Build {
    /// Builds one component after the other, also after one that failed; fails if any did.
    pub async fn run(self) -> anyhow::Result<()> {
        let manifest = Manifest::load(&self.manifest)?;
        let mut chosen = Vec::new();
        for id in &self.components {
            let component = manifest.component.get(id).with_context(|| {
                let known: Vec<_> = manifest.component.keys().map(String::as_str).collect();
                format!(
                    "there is no component {id:?}; known are {}",
                    known.join(", ")
                )
            })?;
            ensure!(
                component.build.is_some(),
                "component {id:?} has no [component.{id}.build]"
            );
            chosen.push(component);
        }
        if chosen.is_empty() {
            let components = manifest.component.values();
            chosen = components.filter(|c| c.build.is_some()).collect();
        }
        if chosen.is_empty() {
            println!("there is nothing to build: no component has a build command");
        }
        let mut failed = Vec::new();
        for component in chosen {
            if let Err(error) = build(&manifest, component).await {
                failed.push(format!("{}: {error:#}", component.id));
            }
        }
        ensure!(failed.is_empty(), "not built: {}", failed.join("; "));
        Ok(())
    }
}

/// Runs the component's build commands, one after the other until one fails. What they print is
/// printed with the component's id before each line.
pub async fn build(manifest: &Manifest, component: &Component) -> anyhow::Result<()> {
    let Some(build) = &component.build else {
        return Ok(());
    };
    let folder = workdir(manifest, component);
    for command in &build.command {
        println!("[{}] $ {command}", component.id);
        let mut child = Command::new("sh")
            .args(["-c", command])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not run {command:?} in {}", folder.display()))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (output, errors, status) = tokio::join!(
            retell(&component.id, output),
            retell(&component.id, errors),
            child.wait()
        );
        output.and(errors).context("could not read its output")?;
        let status = status?;
        if !status.success() {
            bail!("{command:?} ended with {status}");
        }
    }
    let source = manifest.folder.join(&component.source);
    ensure!(
        source.exists(),
        "the commands succeeded, but its source {} is not there",
        source.display()
    );
    Ok(())
}

/// Where the component's build commands run, and where its watched patterns start.
pub fn workdir(manifest: &Manifest, component: &Component) -> PathBuf {
    let build = component.build.as_ref();
    let workdir = build.and_then(|build| build.workdir.as_deref());
    let folder = match workdir {
        Some(workdir) => manifest.folder.join(workdir),
        None => manifest.folder.clone(),
    };
    if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder
    }
}

/// Prints line by line as it comes. What is not UTF-8 is printed as far as it is.
async fn retell(id: &str, output: Option<impl AsyncRead + Unpin>) -> std::io::Result<()> {
    let Some(output) = output else {
        return Ok(());
    };
    let mut lines = BufReader::new(output).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        println!("[{id}] {}", String::from_utf8_lossy(&line));
    }
    Ok(())
}
