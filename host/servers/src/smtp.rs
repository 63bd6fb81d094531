//! A mail server that prints what it gets, for tests: aiosmtpd, from PyPI.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;

use crate::server::{Plan, Probe, Server, claim};

/// Starts one. `python` is a Python that has aiosmtpd. Every mail goes to the server's `log`,
/// between lines that say `MESSAGE FOLLOWS` and `END MESSAGE`.
pub async fn start(python: &Path, folder: &Path) -> anyhow::Result<Server> {
    start_with(python, folder, Vec::new(), |port| {
        format!("smtp://127.0.0.1:{port}")
    })
    .await
}

/// Starts one that takes nothing before STARTTLS, and shows this certificate (PEM files).
pub async fn start_tls(
    python: &Path,
    folder: &Path,
    certificate: &Path,
    key: &Path,
) -> anyhow::Result<Server> {
    let tls = [
        "--tlscert".into(),
        certificate.into(),
        "--tlskey".into(),
        key.into(),
    ];
    start_with(python, folder, tls.to_vec(), |port| {
        format!("smtp://127.0.0.1:{port}?tls=required")
    })
    .await
}

async fn start_with(
    python: &Path,
    folder: &Path,
    more: Vec<OsString>,
    url: fn(u16) -> String,
) -> anyhow::Result<Server> {
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
            let line = std::iter::once(python.clone().into()).chain(line);
            line.chain(more.iter().cloned()).collect()
        }),
        url,
        stop_signal: "TERM",
        probe: Probe {
            send: Vec::new(),
            expect: b"220 ",
        },
    })
    .await
    .context("could not start aiosmtpd; if it is missing: tests/tools.sh")
}
