//! What the host is asked, as an operator.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::client;

/// Redis, the index or the database may be away for a moment.
const TRIES_MAX: u32 = 6;
const PAUSE_MS: u64 = 500;

pub struct Remote<'a> {
    http: Client,
    url: &'a str,
    token: &'a str,
}

impl<'a> Remote<'a> {
    pub fn new(url: &'a str, token: &'a str) -> anyhow::Result<Self> {
        Ok(Self {
            http: client()?,
            url: url.trim_end_matches('/'),
            token,
        })
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        self.send(Method::GET, path, query, None).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        self.send(Method::POST, path, query, None).await
    }

    /// Asks again while something is away. What changes the generations is refused the second time, if it was
    /// done the first time.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.url);
        for attempt in 1.. {
            let mut request = self.http.request(method.clone(), &url).query(query);
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.bearer_auth(self.token).send().await;
            let answer = answer.with_context(|| format!("could not reach {url}"))?;
            let status = answer.status();
            if status.is_success() {
                let read = answer.json().await;
                return read.with_context(|| format!("the answer of {url} is not understood"));
            }
            if status != StatusCode::SERVICE_UNAVAILABLE || attempt >= TRIES_MAX {
                let body = answer.text().await.unwrap_or_default();
                bail!("{method} {url} answered {status}: {body}");
            }
            tokio::time::sleep(Duration::from_millis(PAUSE_MS * u64::from(attempt))).await;
        }
        bail!("{url} was never asked")
    }
}
