//! `praxis dead-letters`: the events that were given up on, in a host that runs.

use anyhow::ensure;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::remote::{Remote, answer};

#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List those that are open, the oldest first.
    List {
        /// Only those of this topic.
        #[arg(long)]
        topic: Option<String>,
        #[command(flatten)]
        host: Remote,
    },
    /// Show one, with its payload.
    Show(One),
    /// Publish one again, or all of a topic, for the group that gave it up.
    Redrive {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        host: Remote,
    },
    /// Nobody is to handle it any more.
    Discard(One),
}

#[derive(Debug, Args)]
struct One {
    /// Its id, as `list` prints it.
    id: String,
    #[command(flatten)]
    host: Remote,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Its id, as `list` prints it.
    id: Option<String>,
    /// All of this topic, in their order.
    #[arg(long, value_name = "TOPIC")]
    all: Option<String>,
}

const FOLDER: &str = "dead-letters";

impl DeadLetters {
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List { topic, host } => list(&host, topic.as_deref()).await,
            Command::Show(One { id, host }) => {
                let request = host.request(Method::GET, &[FOLDER, &id])?;
                let letter = answer(request, &format!("to show {id}")).await?;
                println!("{letter:#}");
                Ok(())
            }
            Command::Redrive {
                which: Which { id: Some(id), .. },
                host,
            } => resolve(&host, &id, "redrive").await,
            Command::Redrive { which, host } => {
                redrive_all(&host, &which.all.unwrap_or_default()).await
            }
            Command::Discard(One { id, host }) => resolve(&host, &id, "discard").await,
        }
    }
}

async fn list(host: &Remote, topic: Option<&str>) -> anyhow::Result<()> {
    let mut cursor: Option<String> = None;
    let mut are_open = false;
    loop {
        let mut request = host.request(Method::GET, &[FOLDER])?;
        request = request.query(&[("topic", topic), ("cursor", cursor.as_deref())]);
        let page = answer(request, "to list the dead letters").await?;
        for letter in page["items"].as_array().into_iter().flatten() {
            let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
            are_open = true;
            println!(
                "{}  {} of {}  {} after {} {}: {}",
                text("id"),
                text("kind"),
                text("key"),
                text("group"),
                letter["attempts"],
                if letter["attempts"] == 1 {
                    "try"
                } else {
                    "tries"
                },
                text("reason"),
            );
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    // Not on standard output: there a program finds what is open.
    if !are_open {
        eprintln!("no dead letter is open");
    }
    Ok(())
}

async fn resolve(host: &Remote, id: &str, verb: &str) -> anyhow::Result<()> {
    let request = host.request(Method::POST, &[FOLDER, id, verb])?;
    let body = answer(request, &format!("to {verb} {id}")).await?;
    println!("{id}: {}", body["outcome"].as_str().unwrap_or_default());
    Ok(())
}

/// As many calls as it takes: one call does a bounded number.
async fn redrive_all(host: &Remote, topic: &str) -> anyhow::Result<()> {
    let mut redriven = 0;
    loop {
        let request = host.request(Method::POST, &[FOLDER, "redrive"])?;
        let request = request.json(&json!({ "topic": topic }));
        let body = answer(request, &format!("to redrive the dead letters of {topic}")).await?;
        let now = body["redriven"].as_array().map_or(0, Vec::len);
        redriven += now;
        let open = body["open"].as_u64().unwrap_or_default();
        if now == 0 || open == 0 {
            println!("{topic}: {redriven} redriven, {open} still open");
            ensure!(
                open == 0,
                "what is still open can only be discarded, or comes after such a one"
            );
            return Ok(());
        }
    }
}
