//! Thousands who want one slot at the same moment: how long until each has an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Calendar;
use crate::contestant::Contestant;
use crate::figures::{Finding, Report};

/// Whoever is told to come back later does so, this often at most.
const TRIES_MAX: u32 = 1_000;

/// What became of one client's wish.
struct Settled {
    booked: bool,
    tries: u32,
}

pub async fn measure(
    host: &Contestant,
    calendar: &mut Calendar,
    clients: u64,
    rounds: usize,
) -> anyhow::Result<Report> {
    let tokens = tokens(host, clients).await?;
    let http = Client::new();
    let (mut seconds, mut tries) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let wanted = Arc::new(calendar.slot());
        let started = Instant::now();
        let mut wishes = JoinSet::new();
        for token in &tokens {
            let request = http
                .post(format!("http://127.0.0.1:{}/v1/bookings", host.port))
                .bearer_auth(token)
                .header("idempotency-key", format!("race-{round}"))
                .json(&*wanted);
            wishes.spawn(settle(request));
        }
        let settled = wishes.join_all().await;
        seconds.push(started.elapsed().as_secs_f64());
        let settled: Vec<Settled> = settled.into_iter().collect::<Result<_, _>>()?;
        let booked = settled.iter().filter(|settled| settled.booked).count();
        ensure!(booked == 1, "{booked} have booked one slot");
        let all: u32 = settled.iter().map(|settled| settled.tries).sum();
        tries.push(f64::from(all) / settled.len() as f64);
    }
    Ok(Report {
        title: format!("{clients} clients for one slot: one books it, the others are refused"),
        columns: Vec::new(),
        rows: Vec::new(),
        findings: vec![
            Finding::new("until the last one has its answer, s", seconds, None),
            Finding::new(
                "requests each, since a full queue says come back",
                tries,
                None,
            ),
        ],
    })
}

/// Asks until the answer is that the slot is booked, or taken.
async fn settle(request: RequestBuilder) -> anyhow::Result<Settled> {
    for tries in 1..=TRIES_MAX {
        let again = request
            .try_clone()
            .context("a body that can't be sent again")?;
        let Ok(answer) = again.send().await else {
            // No answer, or no connection: the same again, under the same key.
            continue;
        };
        match answer.status() {
            StatusCode::CREATED => {
                return Ok(Settled {
                    booked: true,
                    tries,
                });
            }
            StatusCode::CONFLICT => {
                return Ok(Settled {
                    booked: false,
                    tries,
                });
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                tokio::time::sleep(later(answer.headers())?).await;
            }
            other => anyhow::bail!("{other}: {}", answer.text().await?),
        }
    }
    anyhow::bail!("asked {TRIES_MAX} times and was sent away each time")
}

fn later(headers: &header::HeaderMap) -> anyhow::Result<Duration> {
    let seconds = headers.get(header::RETRY_AFTER).context("no Retry-After")?;
    Ok(Duration::from_secs(seconds.to_str()?.parse()?))
}

/// Tokens of patients that are in the directory.
pub async fn tokens(host: &Contestant, patients: u64) -> anyhow::Result<Vec<String>> {
    // An error means that it is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let http = Client::new();
    let mut tokens = Vec::new();
    for patient in 0..patients {
        let answer = http
            .post(format!("http://127.0.0.1:{}/dev/token", host.port))
            .json(&json!({ "sub": format!("bench-{patient}"), "roles": ["patient"] }))
            .send()
            .await?
            .error_for_status()?;
        let answer: Value = answer.json().await?;
        let token = answer["token"].as_str().context("no token")?;
        tokens.push(token.to_owned());
    }
    Ok(tokens)
}
