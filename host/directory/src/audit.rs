//! `praxis audit`: whether the bitmap, the next free slots and the search say what the database says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;

use crate::difference::Difference;
use crate::http::client;

/// Who audits what: `/v1/ops/audits/…`.
const AUDITORS: [&str; 2] = ["availability", "search"];
/// Practitioners of one request.
const PAGE: u32 = 200;
/// Redis, the index or the database may be away for a moment.
const TRIES_MAX: u32 = 6;
const PAUSE_MS: u64 = 500;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Make right what differs.
    #[arg(long)]
    heal: bool,
    /// Where Praxis runs.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// A token of an operator: see `praxis token`.
    #[arg(long, env = "PRAXIS_TOKEN", hide_env_values = true)]
    token: String,
}

/// What an audit has found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Copies that were looked at, by store.
    pub compared: BTreeMap<String, u64>,
    /// Of these, those that still wait for events.
    pub behind: u64,
    pub healed: u64,
    /// Differences that stay.
    pub left: u64,
}

/// One page of an answer.
#[derive(Deserialize)]
struct Page {
    compared: BTreeMap<String, u64>,
    behind: BTreeMap<String, u64>,
    differences: Vec<Difference>,
    next_cursor: Option<String>,
}

/// Which host is asked, as whom, and whether it heals.
pub struct Audit<'a> {
    pub http: &'a Client,
    pub url: &'a str,
    pub token: &'a str,
    pub heals: bool,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let audit = Audit {
        http: &client()?,
        url: arguments.url.trim_end_matches('/'),
        token: &arguments.token,
        heals: arguments.heal,
    };
    let bar = progress_bar();
    let shown = |compared: u64| bar.set_position(compared);
    // Above the bar, as they are found.
    let named = |difference: &Difference| bar.suspend(|| println!("{difference}"));
    let findings = audit.run(shown, named).await;
    bar.finish_and_clear();
    let findings = findings?;
    println!("{findings}");
    ensure!(findings.left == 0, "{} differences stay", findings.left);
    Ok(())
}

impl Audit<'_> {
    /// Looks at everything once, page by page. `shown` is told how many copies were compared so far,
    /// `named` each difference.
    pub async fn run(
        &self,
        shown: impl Fn(u64),
        named: impl Fn(&Difference),
    ) -> anyhow::Result<Findings> {
        let mut findings = Findings::default();
        for auditor in AUDITORS {
            let mut after = None;
            loop {
                let page = self.page(auditor, after.as_deref()).await?;
                for (store, count) in page.compared {
                    *findings.compared.entry(store).or_default() += count;
                }
                findings.behind += page.behind.values().sum::<u64>();
                for difference in &page.differences {
                    named(difference);
                    match difference.healed {
                        true => findings.healed += 1,
                        false => findings.left += 1,
                    }
                }
                shown(findings.compared.values().sum());
                match page.next_cursor {
                    Some(cursor) => after = Some(cursor),
                    None => break,
                }
            }
        }
        Ok(findings)
    }

    async fn page(&self, auditor: &str, after: Option<&str>) -> anyhow::Result<Page> {
        let method = if self.heals {
            Method::POST
        } else {
            Method::GET
        };
        let url = format!("{}/v1/ops/audits/{auditor}", self.url);
        let mut query = vec![("limit", PAGE.to_string())];
        query.extend(after.map(|after| ("after", after.to_owned())));
        for attempt in 1.. {
            let request = self.http.request(method.clone(), &url).query(&query);
            let answer = request.bearer_auth(self.token).send().await;
            let answer = answer.with_context(|| format!("could not reach {url}"))?;
            let status = answer.status();
            if status.is_success() {
                let page = answer.json().await;
                return page.with_context(|| format!("the answer of {url} is not an audit's"));
            }
            let is_away = status == StatusCode::SERVICE_UNAVAILABLE;
            if !is_away || attempt >= TRIES_MAX {
                let body = answer.text().await.unwrap_or_default();
                bail!("{url} answered {status}: {body}");
            }
            tokio::time::sleep(Duration::from_millis(PAUSE_MS * u64::from(attempt))).await;
        }
        bail!("{url} was never asked")
    }
}

fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {human_pos} compared, {per_sec}, {elapsed}")
            .expect("the template is well-formed");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self.compared.iter();
        let compared: Vec<_> = compared
            .map(|(store, count)| format!("{count} {store}"))
            .collect();
        write!(
            f,
            "compared {}: {} healed, {} differ, {} wait for events",
            compared.join(", "),
            self.healed,
            self.left,
            self.behind
        )
    }
}
