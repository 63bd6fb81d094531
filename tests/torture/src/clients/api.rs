//! One try over HTTP, and what it tells.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::request::Request;
use crate::history::{Deed, Made, Slot, Told};
use crate::town::Town;

/// Longer than the host may take for a request that waits for a server which is away for a moment.
const ANSWER_MS_MAX: u64 = 6_000;
const CONNECT_MS_MAX: u64 = 1_000;

/// What became of one try.
#[derive(Debug)]
pub enum Heard {
    Done(Told),
    Refused {
        status: u16,
        problem: String,
    },
    /// Nobody was there: it has not been read by anybody.
    NotSent,
    /// No answer, or one that does not say: it may have taken effect.
    Nothing(String),
}

/// A client of all hosts, with everybody's tokens. Clones share their connections.
#[derive(Clone)]
pub struct Api {
    pub client: reqwest::Client,
    pub bases: Vec<String>,
    tokens: Arc<RwLock<HashMap<String, String>>>,
}

/// An entry of the waitlist.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: Uuid,
    pub status: String,
    /// What is offered, or was booked of it.
    pub booking: Option<Made>,
}

impl Api {
    pub fn new(bases: Vec<String>) -> anyhow::Result<Self> {
        // Only the first one of a process can, and all are the same.
        praxis_tests::api::http_client();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_millis(ANSWER_MS_MAX))
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .build()?;
        Ok(Self {
            client,
            bases,
            tokens: Arc::default(),
        })
    }

    /// Gets a token of the development issuer.
    pub async fn sign_in(&self, subject: &str, claims: Value) -> anyhow::Result<()> {
        self.sign_in_at(&self.bases[0], subject, claims).await
    }

    pub async fn sign_in_at(&self, base: &str, subject: &str, claims: Value) -> anyhow::Result<()> {
        let url = format!("{base}/dev/token");
        let answer = self.client.post(url).json(&claims).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["token"]
            .as_str()
            .context("the issuer gives a token")?;
        let mut tokens = self.tokens.write();
        let tokens = tokens.as_mut().expect("nobody panics while it writes");
        tokens.insert(subject.to_owned(), token.to_owned());
        Ok(())
    }

    /// A request with somebody's token.
    pub fn request(&self, method: Method, base: &str, path: &str, subject: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{base}{path}"));
        let tokens = self.tokens.read();
        match tokens.expect("nobody panics while it writes").get(subject) {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, base: &str, path: &str, subject: &str) -> anyhow::Result<Value> {
        let answer = self
            .request(Method::GET, base, path, subject)
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// A page of somebody's bookings.
    pub async fn list(&self, base: &str, subject: &str, status: &str) -> anyhow::Result<Vec<Made>> {
        let path = format!("/v1/bookings?status={status}");
        let answer = self.get(base, &path, subject).await?;
        let items = answer["items"].as_array().context("a list has items")?;
        Ok(items.iter().filter_map(made).collect())
    }

    /// What somebody waits for.
    pub async fn waitlist(&self, base: &str, subject: &str) -> anyhow::Result<Vec<Entry>> {
        let answer = self.get(base, "/v1/waitlist", subject).await?;
        let items = answer["items"].as_array().context("a list has items")?;
        let entry = |item: &Value| {
            Some(Entry {
                id: entry_of(item)?,
                status: item["status"].as_str()?.to_owned(),
                booking: made(&item["booking"]),
            })
        };
        Ok(items.iter().filter_map(entry).collect())
    }

    /// Tries it once.
    pub async fn attempt(
        &self,
        town: &Town,
        base: &str,
        subject: &str,
        deed: &Deed,
        key: Option<&str>,
    ) -> Heard {
        let Some(asked) = Request::of(deed, town) else {
            return Heard::NotSent;
        };
        let mut request = self.request(asked.method, base, &asked.path, subject);
        if let Some(body) = asked.body {
            request = request.json(&body);
        }
        if let Some(version) = asked.version {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        match request.send().await {
            Ok(answer) => heard(answer).await,
            Err(error) if error.is_connect() => Heard::NotSent,
            Err(error) => Heard::Nothing(error.without_url().to_string()),
        }
    }
}

async fn heard(answer: reqwest::Response) -> Heard {
    let status = answer.status();
    if status == StatusCode::NO_CONTENT {
        return Heard::Done(Told::Nothing);
    }
    let body: Value = match answer.json().await {
        Ok(body) => body,
        Err(error) => return Heard::Nothing(format!("{status}: {error}")),
    };
    if status.is_success() {
        let told = made(&body).map(Told::Booking);
        let told = told.or_else(|| entry_of(&body).map(Told::Entry));
        return told.map_or_else(
            || Heard::Nothing(format!("{status} that tells of nothing: {body}")),
            Heard::Done,
        );
    }
    let problem = body["type"].as_str().unwrap_or_default().to_owned();
    if status.is_client_error() {
        return Heard::Refused {
            status: status.as_u16(),
            problem,
        };
    }
    Heard::Nothing(format!("{} {problem}", status.as_u16()))
}

fn made(body: &Value) -> Option<Made> {
    let start: Timestamp = body["slot_start"].as_str()?.parse().ok()?;
    Some(Made {
        booking: body["booking_id"].as_str()?.parse().ok()?,
        version: body["version"].as_i64()?.try_into().ok()?,
        status: body["status"].as_str()?.to_owned(),
        slot: Slot {
            practitioner: body["practitioner_id"].as_str()?.parse().ok()?,
            start: start.as_second(),
        },
    })
}

fn entry_of(body: &Value) -> Option<Uuid> {
    body["waitlist_id"].as_str()?.parse().ok()
}
