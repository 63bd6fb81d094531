//! What the commands ask of a host that runs.

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::Url;

/// Where the host is, and who asks.
#[derive(Debug, Args)]
pub struct Remote {
    /// Where the host runs.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: Url,
    /// An operator's token: see `praxis token`.
    #[arg(long, env = "PRAXIS_TOKEN", hide_env_values = true)]
    token: String,
}

impl Remote {
    /// A request to `/v1/ops/` and the segments behind it.
    pub fn request(&self, method: Method, segments: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is not the address of a host", self.url))?
            .pop_if_empty()
            .extend(["v1", "ops"])
            .extend(segments);
        let client = reqwest::Client::new();
        Ok(client.request(method, url).bearer_auth(&self.token))
    }
}

/// The answer, if it is one; else what the host said against `what`.
pub async fn answer(request: RequestBuilder, what: &str) -> anyhow::Result<Value> {
    let answer = request.send().await.context("the host did not answer")?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if !status.is_success() {
        let reason = body["detail"].as_str().unwrap_or("it gave no reason");
        bail!("the host refused {what} ({status}): {reason}");
    }
    Ok(body)
}
