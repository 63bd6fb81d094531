//! How the dependencies are. Anybody may ask, so however many do, the dependencies themselves are
//! asked once in a while.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::JSON;
use crate::triggers::http::{Problem, Response, response};

/// A dependency that has not answered by then counts as down.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How old an answer may be.
const KEPT: Duration = Duration::from_secs(1);

/// Asks one dependency how it is: details if it is well, a reason if not.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// A dependency, and what it means if it is down.
pub struct Dependency {
    pub name: &'static str,
    /// Without it the host can do nothing useful; with the others down it does less.
    pub essential: bool,
    pub probe: Probe,
}

type States = Arc<Vec<Result<Value, String>>>;

/// All dependencies, and what they said last.
pub struct Readiness {
    dependencies: Arc<Vec<Dependency>>,
    /// Held while they are asked: who wants to know at the time waits for the same answer.
    last: Arc<Mutex<Option<(Instant, States)>>>,
}

impl Readiness {
    pub fn new(dependencies: Vec<Dependency>) -> Self {
        Self {
            dependencies: Arc::new(dependencies),
            last: Arc::default(),
        }
    }

    /// 200 while the essential dependencies are there; each dependency with its state. Why one is
    /// down may name what is inside: that is for operators.
    pub(super) async fn answer(&self, in_detail: bool) -> Result<Response, Problem> {
        let states = self.states().await?;
        let mut report = serde_json::Map::new();
        let mut ready = true;
        let mut degraded = false;
        for (dependency, state) in self.dependencies.iter().zip(states.iter()) {
            let entry = match state {
                Ok(details) => json!({ "status": "up", "details": details }),
                Err(reason) => {
                    ready &= !dependency.essential;
                    degraded = true;
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
        Ok(response(status, JSON, body.to_string()))
    }

    async fn states(&self) -> Result<States, Problem> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, states)) = &*last
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(states));
        }
        // A task of its own: a client that goes away does not make room for another round.
        let dependencies = Arc::clone(&self.dependencies);
        let round = tokio::spawn(async move {
            let states = join_all(dependencies.iter().map(ask)).await;
            let states = Arc::new(states);
            *last = Some((Instant::now(), Arc::clone(&states)));
            states
        });
        round
            .await
            .map_err(|_| Problem::failed("the dependencies could not be asked"))
    }
}

async fn ask(dependency: &Dependency) -> Result<Value, String> {
    let state = tokio::time::timeout(PROBE_TIMEOUT, (dependency.probe)())
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", PROBE_TIMEOUT.as_millis())));
    if let Err(reason) = &state {
        tracing::warn!(dependency = dependency.name, reason, "a dependency is down");
    }
    state
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_make_one_round() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rounds);
        let probe: Probe = Arc::new(move || {
            let counted = Arc::clone(&counted);
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(Value::Null)
            }
            .boxed()
        });
        let readiness = Readiness::new(vec![Dependency {
            name: "slow",
            essential: true,
            probe,
        }]);
        // Who goes away at once leaves the round to the others.
        for _ in 0..100 {
            assert!(readiness.answer(false).now_or_never().is_none());
        }
        for answer in join_all((0..1_000).map(|_| readiness.answer(false))).await {
            let status = answer.map(|answer| answer.status());
            assert!(matches!(status, Ok(StatusCode::OK)));
        }
        assert_eq!(rounds.load(Ordering::SeqCst), 1);
        tokio::time::sleep(KEPT).await;
        assert!(readiness.answer(false).await.is_ok());
        assert_eq!(rounds.load(Ordering::SeqCst), 2);
    }
}
