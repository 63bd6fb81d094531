//! Real servers for a test: child processes in temporary folders, gone when the test is.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const START_MS_MAX: u64 = 30_000;
const POLL_MS: u64 = 10;

/// A server that can be stopped and started again with its data.
pub struct Server {
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    running: Option<(ChildStdin, Child)>,
}

impl Server {
    pub fn postgres() -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        // PostgreSQL refuses to run as root.
        let mut arguments = vec!["env".to_owned()];
        if is_root() {
            for path in [folder.path(), &data] {
                let owned = Command::new("chown").arg("postgres:").arg(path).status();
                assert!(owned.unwrap().success(), "is there a user postgres?");
            }
            let other = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--init-groups",
            ];
            arguments = other.map(str::to_owned).to_vec();
        }
        let made = Command::new(&arguments[0])
            .args(&arguments[1..])
            .arg(bin().join("initdb"))
            .args([
                "-N",
                "--auth=trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        arguments.push(bin().join("postgres").display().to_string());
        arguments.extend(["-D".to_owned(), data.display().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
        ] {
            arguments.extend(["-c".to_owned(), setting]);
        }
        Self::start(folder, port, arguments)
    }

    pub fn redis() -> Self {
        let folder = folder();
        let port = free_port();
        let arguments = [
            "redis-server",
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder.path().display().to_string(),
            "--save",
            "",
            "--appendonly",
            "yes",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        Self::start(folder, port, arguments)
    }

    fn start(folder: TempDir, port: u16, arguments: Vec<String>) -> Self {
        let mut server = Self {
            folder,
            port,
            arguments,
            running: None,
        };
        server.resume();
        server
    }

    pub fn postgres_url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again after `stop`.
    pub fn resume(&mut self) {
        // However the test ends, its end of the pipe is closed then: the server stops, and unless
        // it was told to, without a trace.
        let script = r#""$@" >> "$FOLDER/log" 2>&1 & server=$!
            read -r word
            kill -INT $server
            wait $server
            [ "$word" = stop ] || rm -rf "$FOLDER""#;
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(&self.arguments)
            .env("FOLDER", self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = shell.stdin.take().unwrap();
        self.running = Some((stdin, shell));
        let started = Instant::now();
        while !self.answers() {
            assert!(
                started.elapsed() < Duration::from_millis(START_MS_MAX),
                "{} did not start: {:?}",
                self.arguments[0],
                std::fs::read_to_string(self.folder.path().join("log"))
            );
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        if self.arguments[0] == "redis-server" {
            return TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        }
        Command::new(bin().join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port])
            .status()
            .unwrap()
            .success()
    }

    pub fn stop(&mut self) {
        if let Some((mut stdin, mut shell)) = self.running.take() {
            stdin.write_all(b"stop\n").unwrap();
            shell.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("praxis-spin-").tempdir().unwrap()
}

fn bin() -> PathBuf {
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .expect("PostgreSQL is needed: apt-get install postgresql");
    let mut versions: Vec<_> = versions.map(|entry| entry.unwrap().path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.parse::<u32>().unwrap_or(0)
    });
    versions.last().expect("a version").join("bin")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}
