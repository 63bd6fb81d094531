//! A server that is measured: a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::client::Client;
use crate::place::Place;

/// Ten thousand components, with nothing compiled, take an hour on two cores that nobody else uses.
const READY_TIMEOUT: Duration = Duration::from_secs(4 * 3_600);
const READY_EVERY: Duration = Duration::from_millis(2);
/// `sysconf(_SC_CLK_TCK)`, which Linux has fixed for programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Stopped when it is dropped.
pub struct Contestant {
    pub name: &'static str,
    pub port: u16,
    /// What it prints.
    pub log: PathBuf,
    process: Child,
}

/// What one process holds, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// Pages that others map too count in part.
    pub proportional: u64,
}

impl Contestant {
    /// Runs a command line for a port, and waits for its first `200` on `path`.
    pub fn start(
        name: &'static str,
        folder: &Path,
        path: &str,
        command: impl FnOnce(u16) -> Command,
    ) -> anyhow::Result<Self> {
        let contestant = Self::launch(name, folder, command)?;
        contestant.wait(path)
    }

    fn launch(
        name: &'static str,
        folder: &Path,
        command: impl FnOnce(u16) -> Command,
    ) -> anyhow::Result<Self> {
        let port = free_port()?;
        let log = folder.join(format!("{}.log", name.replace(' ', "-")));
        let output = File::create(&log)?;
        let process = command(port)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("could not run {name}"))?;
        Ok(Self {
            name,
            port,
            log,
            process,
        })
    }

    fn wait(mut self, path: &str) -> anyhow::Result<Self> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let said = |log: &Path| fs::read_to_string(log).unwrap_or_default();
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, said(&self.log));
            }
            let asked = Client::connect(self.port)
                .map_err(anyhow::Error::from)
                .and_then(|mut client| client.get(path));
            match asked {
                Ok(_) => return Ok(self),
                Err(error) if Instant::now() > deadline => {
                    bail!("{} is not ready: {error:#}; {}", self.name, said(&self.log));
                }
                Err(_) => std::thread::sleep(READY_EVERY),
            }
        }
    }

    /// The host, with a manifest and, perhaps, services.
    pub fn praxis(
        name: &'static str,
        place: &Place,
        folder: &Path,
        manifest: &Path,
        path: &str,
        services: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        Self::start(name, folder, path, |port| {
            let mut command = Command::new(&place.host);
            command
                .args(["serve", "--dev", "--no-migrate", "--manifest"])
                .arg(manifest)
                .arg("--data-dir")
                .arg(folder.join(name))
                .args(["--listen", &format!("127.0.0.1:{port}")])
                .env("RUST_LOG", "off")
                .envs(services.iter().map(|(name, value)| (name, value)));
            command
        })
    }

    /// `wasmtime serve`, with what a component of WASI 0.3 needs and nothing else.
    pub fn wasmtime(place: &Place, folder: &Path, component: &Path) -> anyhow::Result<Self> {
        let wasmtime = place.wasmtime()?;
        Self::start("wasmtime serve", folder, "/", |port| {
            let mut command = Command::new(wasmtime);
            command
                .args(["serve", "-S", "p3,cli", "-W", "component-model-async"])
                .args(["--addr", &format!("127.0.0.1:{port}")])
                .arg(component);
            command
        })
    }

    /// The same handlers without Wasm: this program.
    pub fn native(
        name: &'static str,
        folder: &Path,
        path: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        Self::ourselves(name, folder, path, "native", arguments)
    }

    /// The same events without a host: this program.
    pub fn bare(name: &'static str, folder: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::ourselves(name, folder, "/metrics", "bare", arguments)
    }

    fn ourselves(
        name: &'static str,
        folder: &Path,
        path: &str,
        subcommand: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let this = std::env::current_exe()?;
        Self::start(name, folder, path, |port| {
            let mut command = Command::new(this);
            command
                .args([subcommand, "--port", &port.to_string()])
                .args(arguments);
            command
        })
    }

    /// Processor time that it has used so far, all threads together.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(&self.process.id().to_string())
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        memory(&self.process.id().to_string())
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// What this process has used so far.
pub fn own_processor_time() -> anyhow::Result<Duration> {
    processor_time("self")
}

/// What this process holds.
pub fn own_memory() -> anyhow::Result<Memory> {
    memory("self")
}

fn memory(process: &str) -> anyhow::Result<Memory> {
    let rollup = proc(process, "smaps_rollup")?;
    let bytes = |name: &str| -> anyhow::Result<u64> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("smaps_rollup is short")?.parse::<u64>()? << 10)
    };
    Ok(Memory {
        resident: bytes("Rss:")?,
        proportional: bytes("Pss:")?,
    })
}

fn processor_time(process: &str) -> anyhow::Result<Duration> {
    let stat = proc(process, "stat")?;
    // The second field, a name in brackets, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<f64> {
        Ok(fields.get(at).context("stat is short")?.parse()?)
    };
    let (user, system) = (ticks(11)?, ticks(12)?);
    Ok(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}

fn proc(process: &str, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
