//! What operators ask a host: is it ready, how far behind are the groups; and what they have it do.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use tokio::process::Command;
use uuid::Uuid;

use crate::manifest::{Component, TOPIC};

const ANSWER_MS_MAX: u64 = 5_000;
/// A hundred letters are read and published one by one.
const REDRIVE_MS_MAX: u64 = 60_000;
const LETTERS_PAGE: usize = 100;

#[derive(Clone)]
pub struct Operations {
    client: reqwest::Client,
    token: Option<String>,
}

/// How far a group is in a partition.
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
    /// What goes on there, if it is the host that was asked that reads it.
    pub here: Option<IgnoredAny>,
}

/// A dead letter of which nothing has become yet.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenLetter {
    pub event_id: Uuid,
    pub component: String,
    /// Where the event lay.
    pub offset: u64,
}

/// What one call redrove.
#[derive(Debug, Deserialize)]
pub struct Redriven {
    pub redriven: Vec<String>,
    pub open: usize,
}

/// What is handled again: the offsets from `from` to before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Range {
    pub partition: u32,
    pub from: u64,
    pub to: u64,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
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

    /// Both groups' partitions, as the host knows them.
    pub async fn consumed(&self, base: &str) -> anyhow::Result<Vec<Consumed>> {
        let request = self.client.get(format!("{base}/v1/ops/consumers"));
        let Items { mut items, .. } = self.answer::<Items<Consumed>>(request).await?;
        items.retain(|item| item.topic == TOPIC);
        Ok(items)
    }

    /// All dead letters that are open.
    pub async fn open_letters(&self, base: &str) -> anyhow::Result<Vec<OpenLetter>> {
        let mut letters = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = self.client.get(format!("{base}/v1/ops/dead-letters"));
            let request = request
                .query(&[("topic", TOPIC), ("limit", &LETTERS_PAGE.to_string())])
                .query(&cursor.map(|cursor| [("cursor", cursor)]));
            let page: Items<OpenLetter> = self.answer(request).await?;
            letters.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(letters),
            }
        }
    }

    /// The oldest of the open letters, a hundred at most.
    pub async fn redrive(&self, base: &str) -> anyhow::Result<Redriven> {
        let request = self
            .client
            .post(format!("{base}/v1/ops/dead-letters/redrive"));
        let request = request
            .timeout(Duration::from_millis(REDRIVE_MS_MAX))
            .json(&json!({ "topic": TOPIC }));
        self.answer(request).await
    }

    /// Has a component handle a partition again from an offset on.
    pub async fn replay(
        &self,
        base: &str,
        component: Component,
        partition: u32,
        from: u64,
    ) -> anyhow::Result<Vec<Range>> {
        let group = component.group();
        let request = self
            .client
            .post(format!("{base}/v1/ops/consumers/{group}/replay"));
        let wanted = json!({ "topic": TOPIC, "partition": partition, "from": from.to_string() });
        let Items { items, .. } = self.answer::<Items<Range>>(request.json(&wanted)).await?;
        Ok(items)
    }

    async fn answer<T: DeserializeOwned>(&self, mut request: RequestBuilder) -> anyhow::Result<T> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        let (status, url) = (answer.status(), answer.url().path().to_owned());
        let text = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{url} answered {text}"))
    }
}
