//! One host: the built `praxis serve`, as a child process.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use praxis_tests::wait;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::operations::Operations;

const READY_MS_MAX: u64 = 90_000;
/// It may drain for 25 s.
const STOP_MS_MAX: u64 = 40_000;
const LOG_TAIL_LINES: usize = 20;

/// What the host prints once it listens.
const SERVES: &str = "praxis serves ";

/// How every host of a run is started.
#[derive(Debug, Clone)]
pub struct Setup {
    pub praxis: PathBuf,
    pub folder: PathBuf,
    pub environment: Vec<(String, String)>,
}

/// Where a host writes what it has to say.
pub fn log(setup: &Setup, name: &str) -> PathBuf {
    setup.folder.join(format!("{name}.log"))
}

pub struct Host {
    pub name: String,
    /// Where it answers: `http://127.0.0.1:PORT`.
    pub base: String,
    child: Child,
    log: PathBuf,
}

impl Host {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(setup: &Setup, name: &str, operations: &Operations) -> anyhow::Result<Self> {
        let log = log(setup, name);
        let output =
            File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let child = Command::new(&setup.praxis)
            .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
            .current_dir(&setup.folder)
            .envs(setup.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("could not share the log")?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not run {}", setup.praxis.display()))?;
        let base = String::new();
        let mut host = Self {
            name: name.to_owned(),
            base,
            child,
            log,
        };
        let within = Duration::from_millis(READY_MS_MAX);
        let what = format!("{name} becomes ready");
        let ready = wait::until(&what, within, async || {
            match host.listens() {
                Ok(Some(base)) => host.base = base,
                Ok(None) => return Err("it does not listen yet".to_owned()),
                // There is nothing left to wait for.
                Err(error) => return Ok(Err(error)),
            }
            operations.ready(&host.base).await.map(Ok)
        });
        match ready.await.and_then(|ready| ready) {
            Ok(()) => Ok(host),
            Err(error) => bail!("{error:#}; its log ends with\n{}", host.log_tail()),
        }
    }

    /// As a power cut would.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        let killed = self.child.kill().await;
        killed.with_context(|| format!("could not kill {}", self.name))
    }

    /// Stops it in order, and says how it ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM").await?;
        let within = Duration::from_millis(STOP_MS_MAX);
        let Ok(ended) = timeout(within, self.child.wait()).await else {
            let (name, log) = (&self.name, self.log_tail());
            bail!(
                "{name} did not stop within {} s; its log ends with\n{log}",
                within.as_secs()
            );
        };
        let status = ended.with_context(|| format!("could not wait for {}", self.name))?;
        if !status.success() {
            bail!(
                "{} stopped with {status}; its log ends with\n{}",
                self.name,
                self.log_tail()
            );
        }
        Ok(())
    }

    /// As a machine that hangs would, until `resume`.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP").await
    }

    pub async fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT").await
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let ended = self.child.try_wait();
        ended.with_context(|| format!("could not look after {}", self.name))
    }

    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// Where it listens, once it does; an error if it has ended.
    fn listens(&mut self) -> anyhow::Result<Option<String>> {
        if let Some(status) = self.ended()? {
            bail!("{} ended at once ({status})", self.name);
        }
        let text = std::fs::read_to_string(&self.log)
            .with_context(|| format!("could not read {}", self.log.display()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(SERVES));
        Ok(line.map(|base| base.trim().to_owned()))
    }

    /// Through the shell, whose `kill` is built in.
    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$2\"", "sh", signal, &pid.to_string()])
            .status()
            .await;
        let sent = sent.context("could not run sh")?;
        if !sent.success() {
            bail!("could not send {signal} to {}", self.name);
        }
        Ok(())
    }
}
