//! What operators ask of the host itself: is it well, how far behind is it, what does it count,
//! which versions of its components are live.

mod components;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use super::auth::Claims;
use super::routes::Found;
use super::{Problem, Response, get_only, response};
use crate::runtime::deployment::Deployments;

pub const ROUTES: [(&str, Operation); 6] = [
    ("/health/live", Operation::Live),
    ("/health/ready", Operation::Ready),
    ("/metrics", Operation::Metrics),
    ("/v1/ops/consumers", Operation::Consumers),
    ("/v1/ops/components", Operation::Components),
    // A verb follows the id: a colon inside a segment begins no name.
    ("/v1/ops/components/:call", Operation::Component),
];

/// A dependency that has not answered by then counts as down.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
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
    Components,
    Component,
}

/// Asks one dependency how it is: details if it is well, a reason if not.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// A dependency, and what it means if it is down.
pub struct Dependency {
    pub name: &'static str,
    /// Without it the host can do nothing useful; with the others down it does less.
    pub essential: bool,
    pub probe: Probe,
}

pub struct Operations {
    pub metrics: PrometheusHandle,
    pub dependencies: Vec<Dependency>,
    /// How far behind each consumer is.
    pub consumers: Probe,
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
            Operation::Component => {}
            Operation::Live
            | Operation::Ready
            | Operation::Metrics
            | Operation::Consumers
            | Operation::Components => get_only(request.method())?,
        }
        match operation {
            Operation::Live => Ok(response(StatusCode::OK, JSON, r#"{"status":"live"}"#)),
            Operation::Ready => Ok(self.ready(operator(claims).is_ok()).await),
            Operation::Metrics => Ok(response(
                StatusCode::OK,
                PROMETHEUS_TEXT,
                self.metrics.render(),
            )),
            Operation::Consumers => {
                operator(claims)?;
                match probe(&self.consumers).await {
                    Ok(items) => {
                        let body = json!({ "items": items });
                        Ok(response(StatusCode::OK, JSON, body.to_string()))
                    }
                    Err(_) => Err(Problem::unavailable("the event broker")),
                }
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

    /// 200 while the essential dependencies are there; each dependency with its state. Why one is
    /// down may name what is inside: that is for operators.
    async fn ready(&self, in_detail: bool) -> Response {
        let states = join_all(self.dependencies.iter().map(|d| probe(&d.probe))).await;
        let mut report = serde_json::Map::new();
        let mut ready = true;
        let mut degraded = false;
        for (dependency, state) in self.dependencies.iter().zip(states) {
            let entry = match state {
                Ok(details) => json!({ "status": "up", "details": details }),
                Err(reason) => {
                    ready &= !dependency.essential;
                    degraded = true;
                    tracing::warn!(dependency = dependency.name, reason, "a dependency is down");
                    if in_detail {
                        json!({ "status": "down", "reason": reason })
                    } else {
                        json!({ "status": "down" })
                    }
                }
            };
            report.insert(dependency.name.to_owned(), entry);
        }
        let (status, word) = match (ready, degraded) {
            (true, false) => (StatusCode::OK, "ready"),
            (true, true) => (StatusCode::OK, "degraded"),
            (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
        };
        let body = json!({ "status": word, "dependencies": report });
        response(status, JSON, body.to_string())
    }
}

async fn probe(probe: &Probe) -> Result<Value, String> {
    tokio::time::timeout(PROBE_TIMEOUT, probe())
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", PROBE_TIMEOUT.as_millis())))
}

fn operator(claims: Option<&Claims>) -> Result<&Claims, Problem> {
    let claims = claims.ok_or_else(|| Problem::unauthenticated("a token is needed"))?;
    if claims.has_role(ROLE_OPERATOR) {
        Ok(claims)
    } else {
        Err(Problem::not_found())
    }
}
