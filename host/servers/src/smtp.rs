//! A mail server that prints what it gets, for tests: aiosmtpd, from PyPI.

use std::path::Path;

use anyhow::Context as _;

use crate::server::{Plan, Probe, Server, claim};

/// Starts one. `python` is a Python that has aiosmtpd. Every mail goes to the server's `log`,
/// between lines that say `MESSAGE FOLLOWS` and `END MESSAGE`.
pub async fn start(python: &Path, folder: &Path) -> anyhow::Result<Server> {
    let (folder, lock) = claim(folder)?;
    let python = python.to_path_buf();
    Server::start(Plan {
        name: "aiosmtpd",
        folder,
        lock,
        account: None,
        command: Box::new(move |port| {
            let listen = format!("127.0.0.1:{port}");
            let line = ["-u", "-m", "aiosmtpd", "-n", "-l", &listen];
            let line = line.into_iter().map(Into::into);
            std::iter::once(python.clone().into()).chain(line).collect()
        }),
        url: |port| format!("smtp://127.0.0.1:{port}"),
        stop_signal: "TERM",
        probe: Probe {
            send: Vec::new(),
            expect: b"220 ",
        },
    })
    .await
    .context("could not start aiosmtpd; if it is missing: tests/tools.sh")
}
