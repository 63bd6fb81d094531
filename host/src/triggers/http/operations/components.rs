//! `/v1/ops/components`: which version of each component is live, and another one in its place.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Serialize;

use super::super::auth::Claims;
use super::super::{Problem, Response};
use super::{answer, body, post_only};
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
    post_only(request.method())?;
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
        Refused::Unknown(_) => Problem::not_there(reason),
        Refused::Busy(_) => Problem::conflict("swap-under-way", reason),
        Refused::Uncalled { .. } => Problem::conflict("component-not-called", reason),
        Refused::NothingBefore(_) => Problem::conflict("no-previous-version", reason),
        Refused::Unfit(_) => Problem::component_refused(reason),
    }
}

async fn upload(request: Request<Incoming>) -> Result<Vec<u8>, Problem> {
    body::expect(&request, WASM)?;
    let body = body::read(request, COMPONENT_BYTES_MAX, UPLOAD_TIMEOUT).await?;
    Ok(body.into())
}

/// Reads what is not wanted, and keeps nothing: who is cut off while sending may miss the answer.
async fn discard(request: Request<Incoming>) {
    let mut body = Limited::new(request.into_body(), COMPONENT_BYTES_MAX);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether it was in time or not, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
}
