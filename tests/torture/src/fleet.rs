//! The hosts: built `praxis serve`s as child processes, each with its own way to PostgreSQL.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use praxis_tests::wait;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::place::Place;
use crate::proxy::{Proxy, Trap};

const READY_MS_MAX: u64 = 90_000;
/// It may drain for 25 s.
const STOP_MS_MAX: u64 = 40_000;
const LOG_TAIL_LINES: usize = 20;
/// Below the ports that the kernel gives to clients.
const PORT_FIRST: u16 = 30_000;
const PORTS: u16 = 2_700;

/// The processes, by the host's number. A proxy kills them from where it is.
pub struct Children(Vec<Mutex<Option<Child>>>);

impl Children {
    pub fn new(hosts: usize) -> Arc<Self> {
        let none = || Mutex::new(None);
        Arc::new(Self(std::iter::repeat_with(none).take(hosts).collect()))
    }

    /// Ends it as a power cut would, at once.
    pub fn kill(&self, host: usize) {
        if let Some(child) = self.lock(host).as_mut() {
            // It may have ended by itself: then there is nothing to kill, and the fleet finds out.
            child.start_kill().ok();
        }
    }

    fn lock(&self, host: usize) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.0[host]
            .lock()
            .expect("nobody panics while it holds a host")
    }
}

/// A host, dead or alive: its address stays.
pub struct Host {
    pub number: usize,
    pub base: String,
    pub proxy: Proxy,
    place: Place,
    environment: Vec<(String, String)>,
    children: Arc<Children>,
}

impl Host {
    /// Makes its place; nothing runs yet.
    pub async fn new(
        number: usize,
        place: &Place,
        postgres_port: u16,
        environment: &[(String, String)],
        children: &Arc<Children>,
        trap: &Arc<Trap>,
    ) -> anyhow::Result<Self> {
        let proxy = Proxy::start(number, postgres_port, trap.clone()).await?;
        let port = free_port(number)?;
        let mut environment = environment.to_vec();
        let database = format!("postgres://praxis@{}/praxis", proxy.address);
        environment.push(("DATABASE_URL".to_owned(), database));
        environment.push(("PRAXIS_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
        Ok(Self {
            number,
            base: format!("http://127.0.0.1:{port}"),
            proxy,
            place: place.clone(),
            environment,
            children: children.clone(),
        })
    }

    pub fn name(&self) -> String {
        format!("host-{}", self.number + 1)
    }

    /// Starts it, again and again if it ends at once (PostgreSQL may be away just now), and waits
    /// until it is ready.
    pub async fn start(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        self.reap().await;
        let within = Duration::from_millis(READY_MS_MAX);
        let what = format!("{} becomes ready", self.name());
        let url = format!("{}/health/ready", self.base);
        let ready = wait::until(&what, within, async || {
            if self
                .ended()
                .map_err(|error| format!("{error:#}"))?
                .is_some()
            {
                self.spawn().map_err(|error| format!("{error:#}"))?;
            }
            let answer = client.get(&url).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let body = answer.text().await.unwrap_or_default();
            Err(format!("{status}: {body}"))
        });
        ready
            .await
            .with_context(|| format!("its log ends with\n{}", self.log_tail()))
    }

    pub fn kill(&self) {
        self.children.kill(self.number);
    }

    /// Waits until a killed one is gone.
    pub async fn reap(&self) {
        let child = self.children.lock(self.number).take();
        if let Some(mut child) = child {
            child.kill().await.ok();
        }
    }

    /// Stops it in order; an error if it does not end well.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let child = self.children.lock(self.number).take();
        let mut child = child.with_context(|| format!("{} does not run", self.name()))?;
        let pid = child
            .id()
            .with_context(|| format!("{} has ended", self.name()))?;
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()])
            .status()
            .await;
        sent.context("could not run sh")?;
        let within = Duration::from_millis(STOP_MS_MAX);
        let Ok(ended) = timeout(within, child.wait()).await else {
            bail!(
                "{} did not stop within {STOP_MS_MAX} ms; its log ends with\n{}",
                self.name(),
                self.log_tail()
            );
        };
        let status = ended?;
        if !status.success() {
            bail!(
                "{} stopped with {status}; its log ends with\n{}",
                self.name(),
                self.log_tail()
            );
        }
        Ok(())
    }

    /// How it ended; where nothing was started, as if it had.
    pub fn ended(&self) -> anyhow::Result<Option<Option<ExitStatus>>> {
        match self.children.lock(self.number).as_mut() {
            None => Ok(Some(None)),
            Some(child) => {
                let ended = child.try_wait();
                let ended = ended.with_context(|| format!("could not look after {}", self.name()));
                Ok(ended?.map(Some))
            }
        }
    }

    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.place.folder.join(format!("{}.log", self.name()))
    }

    fn spawn(&self) -> anyhow::Result<()> {
        let path = self.log();
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("could not write {}", path.display()))?;
        let child = Command::new(&self.place.praxis)
            .args(["serve", "--dev"])
            .current_dir(self.place.root)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("could not share the log")?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not run {}", self.place.praxis.display()))?;
        *self.children.lock(self.number) = Some(child);
        Ok(())
    }
}

/// Hosts may share a port (`SO_REUSEPORT`), so a mere free one could be given out twice.
fn free_port(number: usize) -> anyhow::Result<u16> {
    let own = u16::try_from(std::process::id() % 270)? * 10 + u16::try_from(number)?;
    for offset in 0..PORTS {
        let port = PORT_FIRST + (own + offset * 7) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port for a host")
}
