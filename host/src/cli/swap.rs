//! `praxis swap` and `praxis rollback`: another version of a component, in a host that runs.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use url::Url;

#[derive(Debug, Args)]
pub struct Swap {
    /// The component's id in the manifest.
    component: String,
    /// The new version: a WebAssembly component.
    file: PathBuf,
    #[command(flatten)]
    host: Host,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The component's id in the manifest.
    component: String,
    #[command(flatten)]
    host: Host,
}

#[derive(Debug, Args)]
struct Host {
    /// Where the host runs.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: Url,
    /// An operator's token: see `praxis token`.
    #[arg(long, env = "PRAXIS_TOKEN", hide_env_values = true)]
    token: String,
}

impl Swap {
    pub async fn run(self) -> anyhow::Result<()> {
        let wasm = std::fs::read(&self.file)
            .with_context(|| format!("could not read {}", self.file.display()))?;
        self.host.call(&self.component, "swap", Some(wasm)).await
    }
}

impl Rollback {
    pub async fn run(self) -> anyhow::Result<()> {
        self.host.call(&self.component, "rollback", None).await
    }
}

impl Host {
    async fn call(&self, component: &str, verb: &str, wasm: Option<Vec<u8>>) -> anyhow::Result<()> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is not the address of a host", self.url))?
            .pop_if_empty()
            .extend(["v1", "ops", "components"])
            .push(&format!("{component}:{verb}"));
        let mut request = reqwest::Client::new().post(url).bearer_auth(&self.token);
        if let Some(wasm) = wasm {
            request = request.header(CONTENT_TYPE, "application/wasm").body(wasm);
        }
        let answer = request.send().await.context("the host did not answer")?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if !status.is_success() {
            let reason = body["detail"].as_str().unwrap_or("it gave no reason");
            bail!("the host refused the {verb} of {component} ({status}): {reason}");
        }
        println!("{component}: version {} is live", body["version"]);
        if let Some(previous) = body["previous"].as_u64() {
            println!("`praxis rollback {component}` goes back to version {previous}");
        }
        Ok(())
    }
}
