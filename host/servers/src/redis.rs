//! Redis.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;

use crate::Durability;
use crate::server::{Plan, Probe, Server, claim};

const CONNECTIONS_MAX: u32 = 1_000;

/// Starts a server on the data in the folder, or on none. It must be restartable at any time:
/// what it holds can be made again from PostgreSQL, `Durable` only spares that.
pub async fn start(folder: &Path, durability: Durability) -> anyhow::Result<Server> {
    let (folder, lock) = claim(folder)?;
    let data = folder.clone();
    Server::start(Plan {
        name: "Redis",
        folder,
        lock,
        account: None,
        command: Box::new(move |port| command(&data, port, durability)),
        url: |port| format!("redis://127.0.0.1:{port}"),
        stop_signal: "TERM",
        probe: Probe {
            send: b"PING\r\n".to_vec(),
            expect: b"+PONG",
        },
    })
    .await
    .context("could not start redis-server; if it is missing: apt-get install redis-server")
}

fn command(data: &Path, port: u16, durability: Durability) -> Vec<OsString> {
    let append_only = match durability {
        Durability::Durable => "yes",
        Durability::Scratch | Durability::Killable => "no",
    };
    let mut line: Vec<OsString> = vec!["redis-server".into(), "--dir".into(), data.into()];
    let settings = [
        ("--bind", "127.0.0.1"),
        ("--daemonize", "no"),
        ("--appendonly", append_only),
        ("--appendfsync", "everysec"),
        ("--save", ""),
    ];
    for (name, value) in settings {
        line.extend([name.into(), value.into()]);
    }
    line.extend(["--port".into(), port.to_string().into()]);
    line.extend(["--maxclients".into(), CONNECTIONS_MAX.to_string().into()]);
    line
}
