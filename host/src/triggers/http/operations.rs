//! What operators ask of the host itself: is it well, how far behind is it, what does it count,
//! which versions of its components are live.

mod body;
mod components;
mod consumers;
mod dead_letters;
mod readiness;

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use super::auth::Claims;
use super::routes::Found;
use super::{Problem, Response, get_only, response};
use crate::runtime::deployment::Deployments;
pub use consumers::Events;
use dead_letters::Act;
pub use readiness::{Dependency, Probe, Readiness};

pub const ROUTES: [(&str, Operation); 13] = [
    ("/health/live", Operation::Live),
    ("/health/ready", Operation::Ready),
    ("/metrics", Operation::Metrics),
    ("/v1/ops/consumers", Operation::Consumers),
    ("/v1/ops/consumers/:group/replay", Operation::Replay),
    ("/v1/ops/consumers/:group/skip", Operation::Skip),
    ("/v1/ops/dead-letters", Operation::DeadLetters),
    ("/v1/ops/dead-letters/redrive", Operation::RedriveAll),
    ("/v1/ops/dead-letters/:id", Operation::DeadLetter(Act::Show)),
    (
        "/v1/ops/dead-letters/:id/redrive",
        Operation::DeadLetter(Act::Redrive),
    ),
    (
        "/v1/ops/dead-letters/:id/discard",
        Operation::DeadLetter(Act::Discard),
    ),
    ("/v1/ops/components", Operation::Components),
    // A verb follows the id: a colon inside a segment begins no name.
    ("/v1/ops/components/:call", Operation::Component),
];

const JSON: &str = "application/json";
/// The Prometheus text format, version 0.0.4.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const ROLE_OPERATOR: &str = "operator";

#[derive(Debug, Clone, Copy)]
pub enum Operation {
    Live,
    Ready,
    Metrics,
    Consumers,
    Replay,
    Skip,
    DeadLetters,
    DeadLetter(Act),
    RedriveAll,
    Components,
    Component,
}

pub struct Operations {
    pub metrics: PrometheusHandle,
    pub readiness: Readiness,
    /// Where the application has a log of events.
    pub events: Option<Events>,
    pub deployments: Arc<Deployments>,
}

impl Operations {
    pub async fn answer<T>(
        &self,
        operation: Operation,
        found: &Found<'_, T>,
        request: Request<Incoming>,
        claims: Option<&Claims>,
    ) -> Result<Response, Problem> {
        match operation {
            Operation::Component
            | Operation::Replay
            | Operation::Skip
            | Operation::DeadLetter(_)
            | Operation::RedriveAll => {}
            Operation::Live
            | Operation::Ready
            | Operation::Metrics
            | Operation::Consumers
            | Operation::DeadLetters
            | Operation::Components => get_only(request.method())?,
        }
        let events = self.events.as_ref();
        match operation {
            Operation::Live => Ok(response(StatusCode::OK, JSON, r#"{"status":"live"}"#)),
            Operation::Ready => self.readiness.answer(operator(claims).is_ok()).await,
            Operation::Metrics => Ok(response(
                StatusCode::OK,
                PROMETHEUS_TEXT,
                self.metrics.render(),
            )),
            Operation::Consumers => {
                operator(claims)?;
                Ok(consumers::list(events).await)
            }
            Operation::Replay => {
                let operator = operator(claims)?;
                let group = found.name("group").unwrap_or_default();
                post_only(request.method())?;
                let events = events.ok_or_else(Problem::not_found)?;
                consumers::replay(events, group, request, operator).await
            }
            Operation::Skip => {
                let operator = operator(claims)?;
                let group = found.name("group").unwrap_or_default();
                post_only(request.method())?;
                let events = events.ok_or_else(Problem::not_found)?;
                consumers::skip(events, group, request, operator).await
            }
            Operation::DeadLetters => {
                operator(claims)?;
                let events = events.ok_or_else(Problem::not_found)?;
                dead_letters::list(&events.dead_letters, request.uri().query()).await
            }
            Operation::DeadLetter(act) => {
                let operator = operator(claims)?;
                let events = events.ok_or_else(Problem::not_found)?;
                let id = found.name("id").unwrap_or_default();
                dead_letters::act(&events.dead_letters, act, id, &request, operator).await
            }
            Operation::RedriveAll => {
                let operator = operator(claims)?;
                let events = events.ok_or_else(Problem::not_found)?;
                dead_letters::redrive_all(&events.dead_letters, request, operator).await
            }
            Operation::Components => {
                operator(claims)?;
                Ok(components::list(&self.deployments))
            }
            Operation::Component => {
                let operator = operator(claims)?;
                let call = found.name("call").unwrap_or_default();
                components::call(&self.deployments, call, request, operator).await
            }
        }
    }
}

fn post_only(method: &Method) -> Result<(), Problem> {
    if method == Method::POST {
        Ok(())
    } else {
        Err(Problem::method_not_allowed("POST"))
    }
}

fn answer(body: &impl Serialize) -> Response {
    answer_with(StatusCode::OK, body)
}

fn answer_with(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("its keys are strings and its numbers are finite");
    response(status, JSON, body)
}

fn operator(claims: Option<&Claims>) -> Result<&Claims, Problem> {
    let claims = claims.ok_or_else(|| Problem::unauthenticated("a token is needed"))?;
    if claims.has_role(ROLE_OPERATOR) {
        Ok(claims)
    } else {
        Err(Problem::not_found())
    }
}
