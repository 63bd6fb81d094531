//! `praxis replay`: a group handles again what it has handled, in a host that runs.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::remote::{Remote, answer};
use crate::triggers::kafka::replay::request::From;

#[derive(Debug, Args)]
pub struct Replay {
    /// The consumer group: `praxis.search`, say. `/v1/ops/consumers` lists them.
    #[arg(long)]
    group: String,
    /// One that the group reads, by its name in the manifest.
    #[arg(long)]
    topic: String,
    /// Only this partition.
    #[arg(long)]
    partition: Option<u32>,
    /// `earliest`, an offset, or the time of publication, as in 2026-11-22T18:00:00Z.
    #[arg(long, value_parser = checked)]
    from: String,
    #[command(flatten)]
    host: Remote,
}

fn checked(text: &str) -> Result<String, String> {
    text.parse::<From>().map(|_| text.to_owned())
}

impl Replay {
    pub async fn run(self) -> anyhow::Result<()> {
        let Self {
            group,
            topic,
            partition,
            from,
            host,
        } = self;
        let request = host.request(Method::POST, &["consumers", &group, "replay"])?;
        let request = request.json(&json!({
            "topic": topic,
            "partition": partition,
            "from": from,
        }));
        let body = answer(request, &format!("to replay {topic} for {group}")).await?;
        let items = body["items"].as_array();
        let items = items.map_or(&[] as &[_], Vec::as_slice);
        if items.is_empty() {
            println!("{group} has nothing to handle again in {topic}");
        }
        for range in items {
            let last = range["to"].as_u64().unwrap_or_default().saturating_sub(1);
            println!(
                "{group} handles again {topic}/{}, offsets {} to {last}",
                range["partition"], range["from"],
            );
        }
        Ok(())
    }
}
