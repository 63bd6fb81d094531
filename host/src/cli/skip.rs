//! `praxis skip`: a group leaves out an event that it cannot handle, in a host that runs.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::remote::{Remote, answer};

#[derive(Debug, Args)]
pub struct Skip {
    /// The consumer group: `praxis.availability`, say. `/v1/ops/consumers` lists them.
    #[arg(long)]
    group: String,
    /// One that the group reads, by its name in the manifest.
    #[arg(long)]
    topic: String,
    /// From 0 on.
    #[arg(long)]
    partition: u32,
    /// Where the event lies. `/v1/ops/consumers` shows those that fail, at the host that reads the
    /// partition; ask that one.
    #[arg(long)]
    offset: u64,
    #[command(flatten)]
    host: Remote,
}

impl Skip {
    pub async fn run(self) -> anyhow::Result<()> {
        let Self {
            group,
            topic,
            partition,
            offset,
            host,
        } = self;
        let request = host.request(Method::POST, &["consumers", &group, "skip"])?;
        let request = request.json(&json!({
            "topic": topic,
            "partition": partition,
            "offset": offset,
        }));
        answer(request, &format!("to skip {topic}/{partition}/{offset}")).await?;
        println!(
            "{group} leaves out {topic}/{partition}, offset {offset}: it goes to the dead letters \
             when its pause is over"
        );
        Ok(())
    }
}
