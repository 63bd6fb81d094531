//! `praxis build`: runs the build commands that the manifest names.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::compose;
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
    /// Builds one component after the other, also after one that failed; fails if any did, or if
    /// it is interrupted.
    pub async fn run(self) -> anyhow::Result<()> {
        // A build is in a group of its own, which a terminal does not interrupt.
        let stop = compose::stop_on_signal()?;
        let ended = stop.run_until_cancelled(self.build()).await;
        ended.unwrap_or_else(|| bail!("interrupted"))
    }

    async fn build(self) -> anyhow::Result<()> {
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
        let child = Command::new("sh")
            .args(["-c", command])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not run {command:?} in {}", folder.display()))?;
        let mut group = Group(child);
        let child = &mut group.0;
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

/// A command with all that it starts. If it is dropped before its end, all of that ends: a compiler
/// must not go on writing what the next one writes.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // None once it has been waited for: then its number may be another's.
        let Some(group) = self.0.id() else { return };
        let killed = std::process::Command::new("sh")
            .args(["-c", "kill -KILL \"-$1\"", "sh", &group.to_string()])
            .stderr(Stdio::null())
            .status();
        if let Err(error) = killed {
            tracing::warn!(group, %error, "could not end a build");
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(10);

    /// Until the file is there, or gone.
    async fn wait_for(path: &std::path::Path, is_there: bool) {
        let deadline = Instant::now() + WAIT_MAX;
        while path.exists() != is_there {
            assert!(Instant::now() < deadline, "{}", path.display());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_build_that_is_given_up_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spin.toml");
        // The shell waits for another one, which says its number.
        let text = "spin_manifest_version = 2\n[application]\nname = \"a\"\n\
            [component.a]\nsource = \"a.wasm\"\n\
            [component.a.build]\n\
            command = \"sh -c 'echo $$ > new; mv new pid; sleep 60; true'; true\"\n";
        std::fs::write(&path, text).unwrap();
        let manifest = Manifest::load(&path).unwrap();
        let file = folder.path().join("pid");
        tokio::select! {
            built = build(&manifest, manifest.component("a")) => panic!("{built:?}"),
            () = wait_for(&file, true) => {}
        }
        let pid = std::fs::read_to_string(file).unwrap();
        let process = PathBuf::from(format!("/proc/{}/cwd", pid.trim()));
        wait_for(&process, false).await;
    }

    #[tokio::test]
    async fn the_commands_of_a_list_run_one_after_the_other_until_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inside")).unwrap();
        let path = folder.path().join("spin.toml");
        let build_with = async |commands: &str| {
            let text = format!(
                "spin_manifest_version = 2\n[application]\nname = \"a\"\n\
                 [component.a]\nsource = \"inside/a.wasm\"\n\
                 [component.a.build]\nworkdir = \"inside\"\ncommand = {commands}\n"
            );
            std::fs::write(&path, text).unwrap();
            let manifest = Manifest::load(&path).unwrap();
            build(&manifest, manifest.component("a")).await
        };
        // Each needs what the one before it has made.
        let commands = r#"["echo made > first", "mv first a.wasm"]"#;
        build_with(commands).await.unwrap();
        let made = folder.path().join("inside/a.wasm");
        assert_eq!(std::fs::read_to_string(made).unwrap(), "made\n");

        let commands = r#"["test -e first", "touch never"]"#;
        let failed = build_with(commands).await.unwrap_err().to_string();
        assert!(failed.contains("\"test -e first\" ended with"), "{failed}");
        assert!(!folder.path().join("inside/never").exists());
    }
}
