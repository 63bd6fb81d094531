//! `/v1/ops/consumers`: how far behind each group is, and a request to handle again.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::super::auth::Claims;
use super::super::{Problem, Response};
use super::{answer, body};
use crate::capabilities::events::{Broker, Lag};
use crate::triggers::kafka::dead_letters::DeadLetters;
use crate::triggers::kafka::replay::request::{self, From, Range, Refused};
use crate::triggers::kafka::watch::{View, Watch};
use crate::triggers::kafka::{Group, lag};

/// What operators see of events, and do with them.
pub struct Events {
    pub broker: Arc<dyn Broker>,
    pub groups: Vec<Group>,
    /// The partitions that this host reads.
    pub watch: Watch,
    pub dead_letters: DeadLetters,
}

#[derive(Serialize)]
struct Items {
    items: Vec<Item>,
}

/// A partition, as one group reads it.
#[derive(Serialize)]
struct Item {
    #[serde(flatten)]
    lag: Lag,
    /// What goes on in it now, if it is this host that reads it.
    here: Option<View>,
}

pub async fn list(events: Option<&Events>) -> Result<Response, Problem> {
    let mut items = Vec::new();
    if let Some(events) = events {
        let lags = lag::of(&*events.broker, &events.groups).await;
        let lags = lags.map_err(|_| Problem::unavailable("the event broker"))?;
        let mut views = events.watch.views();
        items.extend(lags.into_iter().map(|lag| {
            let here = views.iter().position(|view| {
                (&view.group, &view.topic, view.partition)
                    == (&lag.group, &lag.topic, lag.partition)
            });
            let here = here.map(|place| views.swap_remove(place));
            Item { lag, here }
        }));
    }
    Ok(answer(&Items { items }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    topic: String,
    partition: Option<u32>,
    /// `earliest`, an offset, or a time (RFC 3339).
    from: String,
}

#[derive(Serialize)]
struct Requested {
    items: Vec<Range>,
}

/// Asks the group to handle again what it has handled.
pub async fn replay(
    events: &Events,
    group: &str,
    request: Request<Incoming>,
    operator: &Claims,
) -> Result<Response, Problem> {
    let Wanted {
        topic,
        partition,
        from,
    } = body::json(request).await?;
    let from: From = from
        .parse()
        .map_err(|fault: String| Problem::bad_request(format!("from: {fault}")))?;
    let asked = request::publish(
        &events.broker,
        &events.groups,
        group,
        &topic,
        partition,
        from,
    );
    let items = asked.await.map_err(problem)?;
    let operator = &operator.sub;
    let partitions = items.len();
    tracing::info!(
        group,
        event.topic = topic,
        partitions,
        operator,
        "a replay was asked for"
    );
    Ok(answer(&Requested { items }))
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::UnknownGroup(_) => Problem::not_found(),
        Refused::UnreadTopic { .. } | Refused::UnknownPartition { .. } => {
            Problem::bad_request(refused.to_string())
        }
        Refused::Broker(_) => Problem::unavailable("the event broker"),
    }
}
