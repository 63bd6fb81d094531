//! What all servers have in common: a folder, a free port, a start with a deadline, a stop.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::account::Account;
use crate::orphan;
use crate::process::Process;

/// What a killed server left behind is gone by then.
const START_AGAIN_MS_MAX: u64 = 10_000;
const START_AGAIN_EVERY_MS: u64 = 200;
const READY_MS_MAX: u64 = 60_000;
const PROBE_MS_MAX: u64 = 2_000;
const PROBE_EVERY_MS: u64 = 25;
const STOP_MS_MAX: u64 = 15_000;
/// A free port can be taken by somebody else before the server binds it.
const PORT_ATTEMPTS_MAX: u32 = 5;
const LOG_TAIL_LINES: usize = 25;

/// How one kind of server is run.
pub(crate) struct Plan {
    pub name: &'static str,
    /// Holds `lock`, `pid` and `log`; what else is the server's own affair.
    pub folder: PathBuf,
    #[expect(dead_code, reason = "held, not read: dropping it unlocks the folder")]
    pub lock: File,
    /// Whose process it is; `None`: ours.
    pub account: Option<Account>,
    /// The command line for a port.
    pub command: Box<dyn Fn(u16) -> Vec<OsString> + Send + Sync>,
    pub url: fn(u16) -> String,
    /// Asks for an orderly stop that does not wait for clients; also what the kernel sends when
    /// this process dies.
    pub stop_signal: &'static str,
    pub probe: Probe,
}

/// What to send to a server, and how the answer of one that is ready begins.
pub(crate) struct Probe {
    pub send: Vec<u8>,
    pub expect: &'static [u8],
}

/// A server that runs as a child of this process. Dropped: told to stop, without waiting.
pub struct Server {
    plan: Plan,
    port: u16,
    process: Process,
}

impl Server {
    /// Starts it on a free port and waits until it answers.
    pub(crate) async fn start(plan: Plan) -> anyhow::Result<Self> {
        orphan::stop(&plan.folder)
            .await
            .with_context(|| format!("could not stop the {} that was left running", plan.name))?;
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            match launch(&plan, port).await {
                Ok(process) => {
                    return Ok(Self {
                        plan,
                        port,
                        process,
                    });
                }
                Err(error) if attempt < PORT_ATTEMPTS_MAX && port_was_taken(&plan.folder) => {
                    drop(error);
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where clients reach it: host and port are numbers.
    pub fn url(&self) -> String {
        (self.plan.url)(self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it wrote to its standard output and error since its last start.
    pub fn log(&self) -> PathBuf {
        self.plan.folder.join("log")
    }

    /// Comes back when the server is gone, for whatever reason.
    pub async fn exited(&self) -> ExitStatus {
        self.process.exited().await
    }

    /// Stops it in order: its data are as it left them. Does nothing if it is stopped.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let name = self.plan.name;
        self.process.signal(self.plan.stop_signal);
        if timeout(Duration::from_millis(STOP_MS_MAX), self.process.exited())
            .await
            .is_err()
        {
            self.process.signal("KILL");
            self.process.exited().await;
            bail!("{name} did not stop within {STOP_MS_MAX} ms and was killed");
        }
        // It may be gone by hand already: what counts is that no pid is left to be mistaken.
        fs::remove_file(self.plan.folder.join("pid")).ok();
        Ok(())
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.exited().await;
    }

    /// Starts it after `stop` or `kill`, on the port that it had. The children of one that was
    /// killed take a moment to notice, and until then PostgreSQL refuses to start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        orphan::stop(&self.plan.folder).await?;
        let deadline = Instant::now() + Duration::from_millis(START_AGAIN_MS_MAX);
        loop {
            match launch(&self.plan, self.port).await {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(START_AGAIN_EVERY_MS)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.signal(self.plan.stop_signal);
    }
}

/// Makes the folder and locks it for the life of this process.
pub(crate) fn claim(folder: &Path) -> anyhow::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    let folder = folder
        .canonicalize()
        .with_context(|| format!("could not resolve the folder {}", folder.display()))?;
    let path = folder.join("lock");
    let lock =
        File::create(&path).with_context(|| format!("could not write {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok((folder, lock)),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "{} is in use by another praxis: stop that one first",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("could not lock {}", path.display()))
        }
    }
}

async fn launch(plan: &Plan, port: u16) -> anyhow::Result<Process> {
    let log_path = plan.folder.join("log");
    if log_path.exists() {
        fs::rename(&log_path, plan.folder.join("log.1"))
            .with_context(|| format!("could not put {} aside", log_path.display()))?;
    }
    let log = File::create(&log_path)
        .with_context(|| format!("could not write {}", log_path.display()))?;

    // setpriv(1) asks the kernel to stop the server when this process dies, however it dies.
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={}", plan.stop_signal));
    if let Some(account) = &plan.account {
        command.args(account.setpriv_arguments());
    }
    command
        .arg("--")
        .args((plan.command)(port))
        .current_dir(&plan.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("could not share the log")?)
        .stderr(log);
    let process = Process::spawn(plan.name, command)
        .await
        .with_context(|| format!("could not run setpriv to start {}", plan.name))?;
    orphan::note(&plan.folder, process.pid())?;

    let deadline = Instant::now() + Duration::from_millis(READY_MS_MAX);
    let ready = async {
        while !answers(port, &plan.probe).await {
            sleep(Duration::from_millis(PROBE_EVERY_MS)).await;
        }
    };
    let failure = tokio::select! {
        () = ready => return Ok(process),
        status = process.exited() => format!("{} ended at once ({status})", plan.name),
        () = tokio::time::sleep_until(deadline) => {
            process.signal("KILL");
            process.exited().await;
            format!("{} was not ready within {READY_MS_MAX} ms", plan.name)
        }
    };
    bail!(
        "{failure}; its log, {}, ends with\n{}",
        log_path.display(),
        tail(&log_path)
    )
}

async fn answers(port: u16, probe: &Probe) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.write_all(&probe.send).await?;
        let mut answer = vec![0; probe.expect.len()];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer == probe.expect)
    };
    matches!(
        timeout(Duration::from_millis(PROBE_MS_MAX), exchange).await,
        Ok(Ok(true))
    )
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}

fn port_was_taken(folder: &Path) -> bool {
    tail(&folder.join("log"))
        .to_lowercase()
        .contains("address already in use")
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
