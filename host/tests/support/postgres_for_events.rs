//! A real PostgreSQL for a test: a child process in a temporary folder.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Executor as _, PgPool};
use tempfile::TempDir;

const START_MS_MAX: u64 = 30_000;
const POLL_MS: u64 = 20;

/// A server of its own, which can be stopped and started again.
pub struct Server {
    folder: TempDir,
    port: u16,
    running: Option<Running>,
}

struct Running {
    // What the shell reads: it stops PostgreSQL, and unless it is told to keep them, the data goes.
    stdin: ChildStdin,
    shell: Child,
}

impl Server {
    /// The server that a test binary's tests share.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("praxis-events-")
            .tempdir()
            .expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            for path in [folder.path(), &data] {
                let owned = Command::new("chown").arg("postgres:").arg(path).status();
                assert!(owned.unwrap().success(), "is there a user postgres?");
            }
        }
        let initdb = as_postgres(&bin().join("initdb"))
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
        assert!(initdb.status.success(), "{initdb:?}");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            folder,
            port,
            running: None,
        };
        server.resume();
        server
    }

    /// Starts it again after `stop`.
    pub fn resume(&mut self) {
        // When the test ends, however it does, its end of the pipe is closed.
        let script = r#""$@" >> "$FOLDER/log" 2>&1 & server=$!
            read -r word
            kill -INT $server
            wait $server
            [ "$word" = keep ] || rm -rf "$FOLDER""#;
        let mut shell = as_postgres(Path::new("sh"))
            .args(["-c", script, "sh"])
            .arg(bin().join("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("port={}", self.port)])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=300"])
            .env("FOLDER", self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = shell.stdin.take().unwrap();
        self.running = Some(Running { stdin, shell });
        let started = std::time::Instant::now();
        while !self.answers() {
            assert!(
                started.elapsed() < Duration::from_millis(START_MS_MAX),
                "PostgreSQL did not start: {:?}",
                std::fs::read_to_string(self.folder.path().join("log"))
            );
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }

    fn answers(&self) -> bool {
        let ready = Command::new(bin().join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.unwrap().success()
    }

    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stdin.write_all(b"keep\n").unwrap();
            running.shell.wait().unwrap();
        }
    }

    /// A pool on a new database with the project's tables.
    pub async fn database(&self) -> PgPool {
        let name = format!("events_{}", praxis_host::clock::id().simple());
        let options = PgConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .ssl_mode(PgSslMode::Disable);
        let mut connection = options
            .clone()
            .database("postgres")
            .connect()
            .await
            .unwrap();
        let create = format!("create database {name}");
        connection
            .execute(sqlx::AssertSqlSafe(create))
            .await
            .unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(3))
            .connect_with(options.database(&name))
            .await
            .unwrap();
        sqlx::migrate!("../migrations").run(&pool).await.unwrap();
        pool
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bin() -> PathBuf {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is needed: apt-get install postgresql")
        .map(|entry| entry.unwrap().path())
        .collect();
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

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
        .arg(program);
    command
}
