//! A server that answers as Amazon's services do, for tests: moto, from PyPI.

use std::path::Path;

use anyhow::Context as _;

use crate::server::{Plan, Probe, Server, claim};

/// Starts one that holds everything in memory. `python` is a Python that has `moto[server]`.
/// `GET /moto-api/data.json` says what it was given.
pub async fn start(python: &Path, folder: &Path) -> anyhow::Result<Server> {
    let (folder, lock) = claim(folder)?;
    let python = python.to_path_buf();
    Server::start(Plan {
        name: "moto",
        folder,
        lock,
        account: None,
        command: Box::new(move |port| {
            let port = port.to_string();
            let line = ["-m", "moto.server", "-H", "127.0.0.1", "-p", &port];
            let line = line.into_iter().map(Into::into);
            std::iter::once(python.clone().into()).chain(line).collect()
        }),
        url: |port| format!("http://127.0.0.1:{port}"),
        stop_signal: "TERM",
        probe: Probe {
            send: b"GET /moto-api/data.json HTTP/1.0\r\n\r\n".to_vec(),
            expect: b"HTTP/1.1 200",
        },
    })
    .await
    .context("could not start moto; if it is missing: tests/tools.sh")
}
