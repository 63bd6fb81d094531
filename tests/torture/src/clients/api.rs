//! One try over HTTP, and what it tells.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::history::{Deed, Made, Slot};

/// Longer than the host may take for a request that waits for a server which is away for a moment.
const ANSWER_MS_MAX: u64 = 6_000;
const CONNECT_MS_MAX: u64 = 1_000;

/// What became of one try.
#[derive(Debug)]
pub enum Heard {
    Done(Made),
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
    tokens: HashMap<String, String>,
}

/// A booking in a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Listed {
    pub booking_id: Uuid,
    pub practitioner_id: Uuid,
    pub slot_start: Timestamp,
    pub version: i32,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Listed>,
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
            tokens: HashMap::new(),
        })
    }

    /// Gets a token of the development issuer.
    pub async fn sign_in(&mut self, subject: &str, claims: Value) -> anyhow::Result<()> {
        let url = format!("{}/dev/token", self.bases[0]);
        let answer = self.client.post(url).json(&claims).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["token"]
            .as_str()
            .context("the issuer gives a token")?;
        self.tokens.insert(subject.to_owned(), token.to_owned());
        Ok(())
    }

    /// A request with somebody's token.
    pub fn request(&self, method: Method, base: &str, path: &str, subject: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{base}{path}"));
        match self.tokens.get(subject) {
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
    pub async fn list(
        &self,
        base: &str,
        subject: &str,
        status: &str,
    ) -> anyhow::Result<Vec<Listed>> {
        let path = format!("/v1/bookings?status={status}");
        let Items { items } = serde_json::from_value(self.get(base, &path, subject).await?)?;
        Ok(items)
    }

    /// Tries it once.
    pub async fn attempt(
        &self,
        base: &str,
        subject: &str,
        deed: &Deed,
        key: Option<&str>,
    ) -> Heard {
        let (path, body, version) = request_of(deed);
        let mut request = self.request(Method::POST, base, &path, subject);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(version) = version {
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

impl Listed {
    pub fn slot(&self) -> Slot {
        Slot {
            practitioner: self.practitioner_id,
            start: self.slot_start.as_second(),
        }
    }
}

/// Path, body and `If-Match`.
fn request_of(deed: &Deed) -> (String, Option<Value>, Option<i32>) {
    let slot_start = |slot: Slot| Timestamp::from_second(slot.start).map(|at| at.to_string());
    let of_slot = |slot: Slot| {
        let start = slot_start(slot).unwrap_or_default();
        json!({ "practitioner_id": slot.practitioner, "slot_start": start })
    };
    match *deed {
        Deed::Book { slot } => ("/v1/bookings".to_owned(), Some(of_slot(slot)), None),
        Deed::Hold { slot } => ("/v1/holds".to_owned(), Some(of_slot(slot)), None),
        Deed::Confirm { hold } => (
            "/v1/bookings".to_owned(),
            Some(json!({ "hold_id": hold })),
            None,
        ),
        Deed::Cancel { booking, version } => (
            format!("/v1/bookings/{booking}/cancel"),
            None,
            Some(version),
        ),
        Deed::Move {
            booking,
            version,
            to,
        } => (
            format!("/v1/bookings/{booking}/reschedule"),
            Some(json!({ "slot_start": slot_start(to).unwrap_or_default() })),
            Some(version),
        ),
    }
}

async fn heard(answer: reqwest::Response) -> Heard {
    let status = answer.status();
    let body: Value = match answer.json().await {
        Ok(body) => body,
        Err(error) => return Heard::Nothing(format!("{status}: {error}")),
    };
    if status.is_success() {
        return made(&body).map_or_else(
            || Heard::Nothing(format!("{status} that tells of no booking: {body}")),
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
    Some(Made {
        booking: body["booking_id"].as_str()?.parse().ok()?,
        version: body["version"].as_i64()?.try_into().ok()?,
        status: body["status"].as_str()?.to_owned(),
    })
}
