//! What operators send, read whole.

use std::time::Duration;

use http::Request;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use serde::de::DeserializeOwned;

use super::super::Problem;
use super::JSON;

const JSON_BYTES_MAX: usize = 16 << 10;
const JSON_TIMEOUT: Duration = Duration::from_secs(10);

/// A body of JSON, and an error that says where it is not what is wanted.
pub async fn json<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Problem> {
    expect(&request, JSON)?;
    let body = read(request, JSON_BYTES_MAX, JSON_TIMEOUT).await?;
    serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))
}

pub fn expect(request: &Request<Incoming>, media: &'static str) -> Result<(), Problem> {
    match media_type(request.headers()) {
        Some(given) if given.eq_ignore_ascii_case(media) => Ok(()),
        Some(_) | None => Err(Problem::unsupported_media_type(media)),
    }
}

pub async fn read(
    request: Request<Incoming>,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    let too_large = || Problem::too_large(bytes_max as u64);
    if declared_length(request.headers()).is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), bytes_max).collect();
    match tokio::time::timeout(timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::bad_request(format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::bad_request(format!(
            "the body was not there within {} ms",
            timeout.as_millis()
        ))),
    }
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
