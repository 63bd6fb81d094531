//! The HTTP contract, as a client sees it.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

/// A client of one host, as one person or as nobody.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub request: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Api {
    /// A client without a token.
    pub fn nobody(base: &str) -> Self {
        Self {
            client: http_client(),
            base: base.to_owned(),
            token: None,
        }
    }

    /// The same client with a token of its own.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A client with a token from the development issuer.
    pub async fn sign_in(&self, claims: Value) -> Self {
        let answer = self.post("/dev/token", &claims).await.expect(200);
        let token = answer.json()["token"]
            .as_str()
            .expect("the issuer gives a token")
            .to_owned();
        self.with_token(&token)
    }

    pub async fn patient(&self, name: &str) -> Self {
        self.sign_in(json!({
            "sub": name,
            "roles": ["patient"],
            "name": format!("Patient {name}"),
            "email": format!("{name}@patients.example"),
            "locale": "en",
        }))
        .await
    }

    pub async fn staff(&self, tenant: &str) -> Self {
        let sub = format!("staff-of-{tenant}");
        self.sign_in(json!({ "sub": sub, "roles": ["staff"], "tenant": tenant }))
            .await
    }

    pub async fn operator(&self) -> Self {
        self.sign_in(json!({ "sub": "operator", "roles": ["operator"] }))
            .await
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().expect("this client has signed in")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body.to_string()))
            .await
    }

    /// Books with a fresh idempotency key.
    pub async fn book(&self, practitioner: Uuid, slot_start: &str) -> Answer {
        self.book_with_key(practitioner, slot_start, &fresh_key())
            .await
    }

    pub async fn book_with_key(&self, practitioner: Uuid, slot_start: &str, key: &str) -> Answer {
        let body = json!({ "practitioner_id": practitioner, "slot_start": slot_start });
        let headers = [("idempotency-key", key)];
        self.send(
            Method::POST,
            "/v1/bookings",
            &headers,
            Some(body.to_string()),
        )
        .await
    }

    pub async fn cancel(&self, booking: &str, etag: &str) -> Answer {
        let path = format!("/v1/bookings/{booking}/cancel");
        self.send(Method::POST, &path, &[("if-match", etag)], None)
            .await
    }

    pub async fn reschedule(&self, booking: &str, etag: &str, slot_start: &str) -> Answer {
        let path = format!("/v1/bookings/{booking}/reschedule");
        let key = fresh_key();
        let headers = [("if-match", etag), ("idempotency-key", &key)];
        let body = json!({ "slot_start": slot_start });
        self.send(Method::POST, &path, &headers, Some(body.to_string()))
            .await
    }

    /// # Panics
    /// If there is no answer at all.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let body = body.map(String::into_bytes);
        self.send_bytes(method, path, headers, body).await
    }

    /// As `send`, of what is no text.
    ///
    /// # Panics
    /// If there is no answer at all.
    pub async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let request = format!("{method} {path}");
        let mut builder = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token);
        }
        if let Some(body) = body {
            builder = builder
                .header("content-type", "application/json")
                .body(body);
        }
        let named: HeaderMap = headers
            .iter()
            .map(|(name, value)| header(name, value))
            .collect();
        let response = builder
            .headers(named)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{request}: no answer: {error:?}"));
        let status = response.status();
        let headers = response.headers().clone();
        let text = response
            .text()
            .await
            .unwrap_or_else(|error| panic!("{request}: half an answer: {error:?}"));
        Answer {
            request,
            status,
            headers,
            text,
        }
    }
}

impl Answer {
    /// # Panics
    /// If the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.request,
            self.text
        );
        self
    }

    /// # Panics
    /// If the answer is not a problem of this type, in the shape of RFC 9457.
    #[track_caller]
    pub fn expect_problem(self, status: u16, kind: &str) -> Self {
        let answer = self.expect(status);
        answer.check_problem();
        let kind = format!("/problems/{kind}");
        assert_eq!(
            answer.json()["type"],
            kind.as_str(),
            "{}: {}",
            answer.request,
            answer.text
        );
        answer
    }

    /// # Panics
    /// If the answer is not a problem in the shape of RFC 9457.
    #[track_caller]
    pub fn check_problem(&self) {
        let media = self.header("content-type");
        let (request, text) = (&self.request, &self.text);
        assert!(
            media.starts_with("application/problem+json"),
            "{request}: {media}: {text}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{request}: {text}");
        assert!(
            problem["type"].is_string() && problem["title"].is_string(),
            "{request}: {text}"
        );
    }

    /// # Panics
    /// If the body is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error}: {:?}", self.request, self.text))
    }

    /// A field of the body.
    ///
    /// # Panics
    /// If it is not there or not a string.
    #[track_caller]
    pub fn text_of(&self, field: &str) -> String {
        let json = self.json();
        let text = json[field].as_str();
        text.unwrap_or_else(|| panic!("{}: no {field} in {json}", self.request))
            .to_owned()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// Before the host closes what nothing is sent on (`head_timeout_ms`, 10 s): a request that is sent just then
/// gets no answer.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Plain HTTP all the way, but reqwest wants to know who would do TLS.
pub fn http_client() -> reqwest::Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::Client::builder()
        .pool_idle_timeout(IDLE_MAX)
        .build()
        .expect("a client of plain HTTP")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a key that nobody used before is chance's affair"
)]
pub fn fresh_key() -> String {
    Uuid::new_v4().to_string()
}

fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (
        name.parse().expect("tests name headers well"),
        value.parse().expect("tests give headers good values"),
    )
}
