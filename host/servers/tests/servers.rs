//! What holds for servers as children: data outlive a stop, children do not outlive us.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use praxis_servers::{Durability, Server, postgres, redis};
use tempfile::TempDir;

/// Says to this very test program that it is to be a parent that gets killed, and where.
const DOOMED_FOLDER: &str = "PRAXIS_DOOMED_FOLDER";
const GONE_MS_MAX: u64 = 10_000;

#[tokio::test]
async fn postgres_keeps_its_data_over_a_stop() {
    let folder = open_folder();
    let mut server = postgres::start(folder.path(), Durability::Durable)
        .await
        .unwrap();
    psql(&server, "create table kept (id int)");
    server.stop().await.unwrap();
    assert!(!listens(server.port()));
    drop(server);

    let server = postgres::start(folder.path(), Durability::Durable)
        .await
        .unwrap();
    psql(&server, "select * from kept");
}

#[tokio::test]
async fn postgres_survives_a_power_cut_on_the_same_port() {
    let folder = open_folder();
    let mut server = postgres::start(folder.path(), Durability::Durable)
        .await
        .unwrap();
    let url = server.url();
    psql(&server, "create table kept (id int)");
    server.kill().await;
    server.start_again().await.unwrap();
    assert_eq!(server.url(), url);
    psql(&server, "select * from kept");
}

#[tokio::test]
async fn scratch_data_are_made_anew() {
    let folder = open_folder();
    for _ in 0..2 {
        let mut server = postgres::start(folder.path(), Durability::Scratch)
            .await
            .unwrap();
        psql(&server, "create table lost (id int)");
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn redis_answers_and_comes_back_on_the_same_port() {
    let folder = open_folder();
    let mut server = redis::start(folder.path(), Durability::Scratch)
        .await
        .unwrap();
    server.stop().await.unwrap();
    assert!(!listens(server.port()));
    server.start_again().await.unwrap();
    assert!(listens(server.port()));
}

#[tokio::test]
async fn a_folder_is_run_by_one_process_at_a_time() {
    let folder = open_folder();
    let _first = redis::start(folder.path(), Durability::Scratch)
        .await
        .unwrap();
    let refusal = redis::start(folder.path(), Durability::Scratch)
        .await
        .err()
        .unwrap();
    assert!(
        format!("{refusal:#}").contains("in use by another praxis"),
        "{refusal:#}"
    );
}

/// Not a test of its own: the parent that `children_die_with_a_killed_parent` kills.
#[tokio::test]
async fn a_parent_that_gets_killed() {
    let Ok(folder) = std::env::var(DOOMED_FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let postgres = postgres::start(&folder.join("postgres"), Durability::Durable)
        .await
        .unwrap();
    let redis = redis::start(&folder.join("redis"), Durability::Durable)
        .await
        .unwrap();
    psql(&postgres, "create table kept (id int)");
    println!("\nports {} {}", postgres.port(), redis.port());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn children_die_with_a_killed_parent() {
    let folder = open_folder();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_parent_that_gets_killed"])
        .env(DOOMED_FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let ports = lines
        .filter_map(|line| line.strip_prefix("ports ").map(str::to_owned))
        .next();
    let ports = ports.unwrap();
    let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().unwrap()).collect();
    assert!(ports.iter().all(|port| listens(*port)));

    parent.kill().unwrap();
    parent.wait().unwrap();
    let deadline = Instant::now() + Duration::from_millis(GONE_MS_MAX);
    while ports.iter().any(|port| listens(*port)) {
        assert!(
            Instant::now() < deadline,
            "a child outlived its parent by {GONE_MS_MAX} ms"
        );
        tokio::task::yield_now().await;
    }

    let server = postgres::start(&folder.path().join("postgres"), Durability::Durable)
        .await
        .unwrap();
    psql(&server, "select * from kept");
    redis::start(&folder.path().join("redis"), Durability::Durable)
        .await
        .unwrap();
}

/// A temporary folder that the user `postgres` may enter.
fn open_folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn psql(server: &Server, statement: &str) {
    let status = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "-c",
            statement,
            &server.url(),
        ])
        .status();
    assert!(
        status.expect("psql comes with postgresql").success(),
        "{statement}"
    );
}
