//! The index server. What stands in for OpenSearch keeps everything in memory; what it stands in for
//! does not. So a restart takes along what was there, as a disk would.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use praxis_servers::{Server, opensearch};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::sleep;

/// More documents than a town has.
const DOCUMENTS_MAX: usize = 1_000;
/// Written and deleted, so that numbers of changes go on where they were.
const FILLER: &str = "filler";

pub struct Index {
    server: Server,
    client: Client,
}

/// An index with its documents.
struct Kept {
    name: String,
    /// Its mappings, as who makes it says them.
    made: Value,
    hits: Vec<Value>,
}

impl Index {
    pub async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            server: opensearch::start(program, folder).await?,
            client: praxis_tests::api::http_client(),
        })
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Kills it and starts it again, with the data that it had. Nobody may write meanwhile.
    pub async fn restart(&mut self, away: Duration) -> anyhow::Result<()> {
        let kept = self.keep().await.context("could not keep the index")?;
        self.server.kill().await;
        sleep(away).await;
        self.server.start_again().await?;
        for index in &kept {
            let restored = self.restore(index).await;
            restored.with_context(|| format!("could not restore the index {}", index.name))?;
        }
        Ok(())
    }

    async fn keep(&self) -> anyhow::Result<Vec<Kept>> {
        let indexes = self.ask(Method::GET, "/*", None).await?;
        let mut kept = Vec::new();
        for (name, index) in indexes.as_object().context("indexes by name")? {
            let query = json!({ "size": DOCUMENTS_MAX, "seq_no_primary_term": true });
            let path = format!("/{name}/_search");
            let mut found = self.ask(Method::POST, &path, Some(query)).await?;
            let hits = found["hits"]["hits"].take();
            let hits = hits.as_array().context("a search has hits")?.clone();
            ensure!(hits.len() < DOCUMENTS_MAX, "{name} has too many documents");
            kept.push(Kept {
                name: name.clone(),
                made: json!({
                    "mappings": index["mappings"],
                }),
                hits,
            });
        }
        ensure!(!kept.is_empty(), "there is none");
        Ok(kept)
    }

    /// A host that has read a document before must not find its number at another state of it.
    async fn restore(&self, index: &Kept) -> anyhow::Result<()> {
        let name = &index.name;
        let made = Some(index.made.clone());
        self.ask(Method::PUT, &format!("/{name}"), made).await?;
        let numbers = index.hits.iter().map(|hit| hit["_seq_no"].as_u64());
        let last = numbers.collect::<Option<Vec<_>>>();
        let last = last.context("a hit has a number")?.into_iter().max();
        let mut lines = String::new();
        for _ in 0..=last.unwrap_or_default() {
            lines += &line("index", FILLER);
            lines += "{}\n";
        }
        lines += &line("delete", FILLER);
        for hit in &index.hits {
            lines += &line("index", hit["_id"].as_str().context("a hit has an id")?);
            lines += &format!("{}\n", hit["_source"]);
        }
        let url = format!("{}/{name}/_bulk?refresh=true", self.server.url());
        let request = self.client.post(url).body(lines);
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        ensure!(answer["errors"] == false, "{answer}");
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.server.url());
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn line(action: &str, id: &str) -> String {
    format!("{}\n", json!({ action: { "_id": id } }))
}
