//! The host: the built `praxis serve --dev`, as a child process.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::{api, place};

const READY_MS_MAX: u64 = 90_000;
const LOOK_EVERY_MS: u64 = 50;
const LOG_TAIL_LINES: usize = 60;

/// Below the ports that the kernel gives to clients, and another region for each test program.
const PORT_FIRST: u16 = 12_000;
const PORTS_PER_PROGRAM: u16 = 200;
const PROGRAMS: u32 = 90;
static PORTS_TAKEN: AtomicU16 = AtomicU16::new(0);

pub struct Host {
    pub base: String,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
}

impl Host {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub async fn start(folder: &Path, mut environment: Vec<(String, String)>) -> Self {
        let port = free_port();
        environment.push(("PRAXIS_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
        let log = folder.join("host.log");
        let child = spawn(&environment, &log);
        let base = format!("http://127.0.0.1:{port}");
        let mut host = Self {
            base,
            environment,
            log,
            child,
        };
        host.become_ready().await;
        host
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Starts it again after `kill`, as it was.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.environment, &self.log);
        self.become_ready().await;
    }

    /// The last lines of what it logged.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    async fn become_ready(&mut self) {
        let client = api::http_client();
        let url = format!("{}/health/ready", self.base);
        let deadline = Instant::now() + Duration::from_millis(READY_MS_MAX);
        loop {
            let answer = client.get(&url).send().await;
            if answer
                .as_ref()
                .is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("a child can be looked after") {
                panic!("the host ended at once ({status}):\n{}", self.log_tail());
            }
            if Instant::now() > deadline {
                let answer = answer.map(|answer| answer.status());
                panic!(
                    "the host was not ready in time ({answer:?}):\n{}",
                    self.log_tail()
                );
            }
            sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    }
}

fn spawn(environment: &[(String, String)], log: &Path) -> Child {
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .expect("the log can be written");
    Command::new(place::praxis())
        .args(["serve", "--dev"])
        .current_dir(place::root())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log can be shared"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the host starts")
}

/// Hosts may share a port (`SO_REUSEPORT`), so a mere free one could be given out twice.
fn free_port() -> u16 {
    let region = u16::try_from(std::process::id() % PROGRAMS).expect("there are few regions");
    loop {
        let port = PORT_FIRST
            + region * PORTS_PER_PROGRAM
            + PORTS_TAKEN.fetch_add(1, Ordering::Relaxed) % PORTS_PER_PROGRAM;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
