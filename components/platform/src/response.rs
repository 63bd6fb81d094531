//! What a component answers.

use serde::Serialize;
use spin_sdk::http::{HeaderName, HeaderValue, StatusCode};

use crate::problem::Problem;

/// A complete answer.
pub type Response = http::Response<String>;

/// The answer to a request that may have failed.
pub fn of(result: Result<Response, Problem>) -> Response {
    result.unwrap_or_else(|problem| {
        let mut response = body(
            problem.status(),
            "application/problem+json",
            problem.body().to_string(),
        );
        if let Some((name, value)) = problem.header() {
            let headers = response.headers_mut();
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    })
}

/// A JSON answer. Add headers with `response::with`.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("our answers are maps with text keys");
    body(status, "application/json", text)
}

pub fn no_content() -> Response {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds a header. `name` is lowercase; a value that can't be a header's is left out.
#[must_use]
pub fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The `ETag` of a version: `"3"`.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn body(status: StatusCode, content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content_type);
    response
}
