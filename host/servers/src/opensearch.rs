//! A server that speaks OpenSearch's protocol, for tests: osmem-server, from PyPI.

use std::path::Path;

use anyhow::Context as _;

use crate::server::{Plan, Probe, Server, claim};

/// Starts one that holds everything in memory. `program` is the path of `osmem-server`.
pub async fn start(program: &Path, folder: &Path) -> anyhow::Result<Server> {
    let (folder, lock) = claim(folder)?;
    let program = program.to_path_buf();
    Server::start(Plan {
        name: "osmem-server",
        folder,
        lock,
        account: None,
        command: Box::new(move |port| {
            vec![
                program.clone().into(),
                "-no-stdin-watch".into(),
                "-addr".into(),
                format!("127.0.0.1:{port}").into(),
            ]
        }),
        url: |port| format!("http://127.0.0.1:{port}"),
        stop_signal: "TERM",
        probe: Probe {
            send: b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            expect: b"HTTP/1.0 200",
        },
    })
    .await
    .context("could not start osmem-server; if it is missing: tests/tools.sh")
}
