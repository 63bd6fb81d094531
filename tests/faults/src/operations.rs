//! What operators ask a host: is it ready, how far behind is the group.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::manifest::{GROUP, TOPIC};

const ANSWER_MS_MAX: u64 = 5_000;

#[derive(Clone)]
pub struct Operations {
    client: reqwest::Client,
    token: Option<String>,
}

/// How far the group is in a partition.
#[derive(Debug, Clone, Deserialize)]
pub struct Consumed {
    pub group: String,
    pub topic: String,
    pub partition: u32,
    /// The first offset that is not done.
    pub committed: u64,
    /// The offset that the next event will get.
    pub end: u64,
    pub lag: u64,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Consumed>,
}

impl Operations {
    pub fn new() -> anyhow::Result<Self> {
        // Only the first one of a process can, and all are the same.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_millis(ANSWER_MS_MAX))
            .build()?;
        Ok(Self {
            client,
            token: None,
        })
    }

    /// The same with a token of the development issuer.
    pub async fn sign_in(&mut self, praxis: &Path, data: &Path) -> anyhow::Result<()> {
        let output = Command::new(praxis)
            .args([
                "token",
                "--role",
                "operator",
                "--sub",
                "faults",
                "--data-dir",
            ])
            .arg(data)
            .output()
            .await
            .context("could not run praxis token")?;
        ensure!(
            output.status.success(),
            "praxis token failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.token = Some(String::from_utf8(output.stdout)?.trim().to_owned());
        Ok(())
    }

    /// Whether the host says that it can work.
    pub async fn ready(&self, base: &str) -> Result<(), String> {
        let answer = self.client.get(format!("{base}/health/ready")).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!(
            "{status}: {}",
            answer.text().await.unwrap_or_default()
        ))
    }

    /// The group's partitions, as the host knows them.
    pub async fn consumed(&self, base: &str) -> anyhow::Result<Vec<Consumed>> {
        let mut request = self.client.get(format!("{base}/v1/ops/consumers"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?.error_for_status()?;
        let Items { mut items } = answer.json().await?;
        items.retain(|item| item.group == GROUP && item.topic == TOPIC);
        Ok(items)
    }
}
