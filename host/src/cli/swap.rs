//! `praxis swap` and `praxis rollback`: another version of a component, in a host that runs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::remote::{Remote, answer};

#[derive(Debug, Args)]
pub struct Swap {
    /// The component's id in the manifest.
    component: String,
    /// The new version: a WebAssembly component.
    file: PathBuf,
    #[command(flatten)]
    host: Remote,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The component's id in the manifest.
    component: String,
    #[command(flatten)]
    host: Remote,
}

impl Swap {
    pub async fn run(self) -> anyhow::Result<()> {
        let wasm = std::fs::read(&self.file)
            .with_context(|| format!("could not read {}", self.file.display()))?;
        call(&self.host, &self.component, "swap", Some(wasm)).await
    }
}

impl Rollback {
    pub async fn run(self) -> anyhow::Result<()> {
        call(&self.host, &self.component, "rollback", None).await
    }
}

async fn call(
    host: &Remote,
    component: &str,
    verb: &str,
    wasm: Option<Vec<u8>>,
) -> anyhow::Result<()> {
    let call = format!("{component}:{verb}");
    let mut request = host.request(Method::POST, &["components", &call])?;
    if let Some(wasm) = wasm {
        request = request.header(CONTENT_TYPE, "application/wasm").body(wasm);
    }
    let body = answer(request, &format!("the {verb} of {component}")).await?;
    println!("{component}: version {} is live", body["version"]);
    if let Some(previous) = body["previous"].as_u64() {
        println!("`praxis rollback {component}` goes back to version {previous}");
    }
    Ok(())
}
