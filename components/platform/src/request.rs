//! What a component is asked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use praxis_domain::{FieldError, idempotency};
use serde::de::DeserializeOwned;
use spin_sdk::http::{HeaderMap, Method};
use uuid::Uuid;

use crate::auth::Claims;
use crate::problem::Problem;

pub const BODY_BYTES_MAX: usize = 64 * 1024;

type Body = spin_sdk::wasip3::http_compat::IncomingRequestBody;

/// A request, and what the host knows of its sender.
pub struct Request {
    parts: http::request::Parts,
    body: Body,
}

impl Request {
    pub fn new(request: spin_sdk::http::Request) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body }
    }

    pub fn method(&self) -> Method {
        self.parts.method.clone()
    }

    /// The path's segments: `["v1", "bookings"]`. A slash at the end counts for nothing.
    pub fn path(&self) -> Vec<&str> {
        let path = self.parts.uri.path();
        path.trim_matches('/').split('/').collect()
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The caller's claims; 401 where there is no token.
    pub fn claims(&self) -> Result<Claims, Problem> {
        Claims::read(self.headers())?.ok_or_else(Problem::unauthorized)
    }

    /// The trace that the request belongs to, if the caller says so.
    pub fn traceparent(&self) -> Option<&str> {
        self.header("traceparent")
    }

    /// The query's parameters; 400 where one is not among `known`, or is there twice.
    pub fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(self.parts.uri.query().unwrap_or_default(), known)
    }

    /// The version in `If-Match: "3"`; 400 where it is missing.
    pub fn if_match<T: std::str::FromStr>(&self) -> Result<T, Problem> {
        self.header("if-match")
            .and_then(|value| value.strip_prefix('"')?.strip_suffix('"')?.parse().ok())
            .ok_or_else(|| {
                Problem::field(
                    "/header/If-Match",
                    "must be the ETag that you have seen: \"1\"",
                )
            })
    }

    /// As `if_match`, where there is one: 400 only where it can't be read.
    pub fn if_match_if_sent<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        if self.headers().contains_key("if-match") {
            self.if_match().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The `Idempotency-Key`; 400 where it is missing.
    pub fn idempotency_key(&self) -> Result<String, Problem> {
        self.header("idempotency-key")
            .filter(|key| idempotency::is_key(key))
            .map(str::to_owned)
            .ok_or_else(|| {
                Problem::field(
                    "/header/Idempotency-Key",
                    "must have 1 to 255 visible characters, and be new for each new request",
                )
            })
    }

    /// The body, a JSON object; 400 with a pointer where it does not fit, 413 where it is too large.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let bytes = self.bytes(BODY_BYTES_MAX).await?;
        // serde would take a list of the values as well.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::bad_request("the body must be a JSON object"));
        }
        from_json(&bytes)
    }

    /// The whole body; 413 where it is larger than `bytes_max`.
    pub async fn bytes(self, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        match Limited::new(self.body, bytes_max).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(bytes_max)),
            Err(_) => Err(Problem::bad_request("the body ended early")),
        }
    }

    /// The body as it arrives, for what does not fit into memory.
    pub fn into_body(self) -> Body {
        self.body
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }
}

/// Reads JSON; 400 with a pointer to the field that does not fit.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = pointer(error.path());
        let detail = error.into_inner().to_string();
        Problem::invalid(vec![match missing_field(&detail) {
            Some(name) => FieldError::new(format!("{place}/{name}"), "is missing"),
            None => FieldError::new(place, detail),
        }])
    })?;
    json.end()
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(value)
}

/// serde's path ends at the object that lacks a field: only its message names the field.
fn missing_field(message: &str) -> Option<&str> {
    let (name, _) = message.strip_prefix("missing field `")?.split_once('`')?;
    Some(name)
}

/// RFC 6901: `/channels/0`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// An id in the path; 404 where it can't be one.
pub fn id(segment: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(segment).map_err(|_| Problem::not_found())
}

/// The parameters of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    fn parse(text: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let detail = format!("is not known; known are {}", known.join(", "));
                errors.push(FieldError::new(pointer_to(&name), detail));
            } else if parameters
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                errors.push(FieldError::new(pointer_to(&name), "is there twice"));
            }
        }
        if errors.is_empty() {
            Ok(Self(parameters))
        } else {
            Err(Problem::invalid(errors))
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that may be missing; 400 where it does not parse. `expected` completes
    /// "must be …": `a date: 2026-11-23`.
    pub fn optional<T: std::str::FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let parse = |value: &str| {
            let parsed = value.parse();
            parsed.map_err(|_| Problem::field(pointer_to(name), format!("must be {expected}")))
        };
        self.get(name).map(parse).transpose()
    }

    /// As `optional`, and 400 where it is missing.
    pub fn required<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<T, Problem> {
        self.optional(name, expected)?.ok_or_else(|| {
            Problem::field(pointer_to(name), format!("is missing: must be {expected}"))
        })
    }
}

fn pointer_to(name: &str) -> String {
    let name: Cow<str> = name.into();
    format!("/query/{name}")
}
