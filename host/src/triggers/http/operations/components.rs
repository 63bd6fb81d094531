//! `/v1/ops/components`: which version of each component is live, and another one in its place.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Serialize;

use super::super::auth::Claims;
use super::super::{Problem, Response, response};
use super::JSON;
use crate::runtime::deployment::{COMPONENT_BYTES_MAX, Deployments, Live, Refused, Report};

const WASM: &str = "application/wasm";
/// What a version's source is called that came in a request.
const SOURCE: &str = "upload";
/// How long a component may take to come in.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How long is waited for the end of one that is not wanted.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Reports {
    items: Vec<Report>,
}

pub fn list(deployments: &Deployments) -> Response {
    answer(&Reports {
        items: deployments.report(),
    })
}

/// What stands in the place of a component's id: `id:swap` or `id:rollback`.
pub async fn call(
    deployments: &Deployments,
    call: &str,
    request: Request<Incoming>,
    operator: &Claims,
) -> Result<Response, Problem> {
    let Some((id, verb @ ("swap" | "rollback"))) = call.rsplit_once(':') else {
        return Err(Problem::not_found());
    };
    if request.method() != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    let outcome = if verb == "swap" {
        match deployments.begin(id) {
            Ok(swap) => swap.swap(SOURCE.into(), upload(request).await?).await,
            Err(refused) => {
                discard(request).await;
                Err(refused)
            }
        }
    } else {
        deployments.rollback(id)
    };
    match outcome {
        Ok(live) => {
            said(&live, verb, operator);
            Ok(answer(&live))
        }
        Err(refused) => {
            let reason = refused.to_string();
            let operator = &operator.sub;
            tracing::warn!(component = id, operator, reason, "a {verb} was refused");
            Err(problem(&refused, reason))
        }
    }
}

fn said(live: &Live, verb: &str, operator: &Claims) {
    let Live {
        id,
        version,
        sha256,
        previous: _,
    } = live;
    let operator = &operator.sub;
    tracing::info!(component = id, version, sha256, operator, "{verb} done");
}

fn problem(refused: &Refused, reason: String) -> Problem {
    match refused {
        Refused::Unknown(_) => Problem::not_found(),
        Refused::Busy(_) => Problem::conflict("swap-under-way", reason),
        Refused::Uncalled { .. } => Problem::conflict("component-not-called", reason),
        Refused::NothingBefore(_) => Problem::conflict("no-previous-version", reason),
        Refused::Unfit(_) => Problem::component_refused(reason),
    }
}

async fn upload(request: Request<Incoming>) -> Result<Vec<u8>, Problem> {
    let headers = request.headers();
    if media_type(headers) != Some(WASM) {
        return Err(Problem::unsupported_media_type(WASM));
    }
    let too_large = || Problem::too_large(COMPONENT_BYTES_MAX as u64);
    if declared_length(headers).is_some_and(|length| length > COMPONENT_BYTES_MAX) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), COMPONENT_BYTES_MAX).collect();
    match tokio::time::timeout(UPLOAD_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::bad_request(format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::bad_request(format!(
            "the body was not there within {} ms",
            UPLOAD_TIMEOUT.as_millis()
        ))),
    }
}

/// Reads what is not wanted, and keeps nothing: who is cut off while sending may miss the answer.
async fn discard(request: Request<Incoming>) {
    let mut body = Limited::new(request.into_body(), COMPONENT_BYTES_MAX);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether it was in time or not, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn answer(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("its keys are strings and its numbers are finite");
    response(StatusCode::OK, JSON, body)
}
