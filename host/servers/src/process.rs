//! A child process and the thread that keeps it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use tokio::sync::{oneshot, watch};

pub(crate) struct Process {
    pid: u32,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// The kernel takes a parent to be dead when the *thread* that made the child ends, so the
    /// child gets a thread of its own, which lives as long as the child does.
    pub async fn spawn(name: &str, mut command: Command) -> io::Result<Self> {
        let (started, pid) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        // A group of its own: Ctrl-C in a terminal is for us, and we stop it in our own time.
        command.process_group(0);
        thread::Builder::new()
            .name(format!("{name} keeper"))
            .spawn(move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => return drop(started.send(Err(error))),
                };
                drop(started.send(Ok(child.id())));
                let status = child
                    .wait()
                    .expect("a child that nobody else waits for can be waited for");
                ended.send_replace(Some(status));
            })?;
        let pid = pid.await.expect("the keeper sends before it ends")?;
        Ok(Self { pid, exit })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit
            .wait_for(Option::is_some)
            .await
            .expect("the keeper ends with a status");
        status.expect("waited until it is some")
    }

    /// Sends a signal, if the process still runs.
    pub fn signal(&self, signal: &str) {
        if self.exit.borrow().is_none() {
            send(self.pid, signal);
        }
    }
}

/// Sends a signal through the shell, whose `kill` is built in. A process that is gone is no error:
/// that is what the callers want.
pub(crate) fn send(pid: u32, signal: &str) {
    Command::new("sh")
        .args(["-c", "kill -\"$1\" \"$2\"", "sh", signal, &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok();
}
