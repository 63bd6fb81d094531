//! `/v1/ops/consumers`: how far behind each group is, and requests to handle again and to leave out.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::super::auth::Claims;
use super::super::{Problem, Response};
use super::{answer, answer_with, body};
use crate::capabilities::events::{Broker, Lag};
use crate::triggers::kafka::dead_letters::DeadLetters;
use crate::triggers::kafka::replay::request::{self, From, Range, Refused};
use crate::triggers::kafka::watch::{Unskippable, View, Watch};
use crate::triggers::kafka::{Group, lag};

/// How long the broker may take to say how far behind all groups are.
const ANSWER_MAX: Duration = Duration::from_secs(10);

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
    /// None if no topic is declared.
    broker: Option<State>,
    items: Vec<Item>,
}

/// The broker's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Up,
    /// It has not answered: what it alone knows is not known.
    Down,
}

/// A partition, as one group reads it.
#[derive(Serialize)]
struct Item {
    group: String,
    topic: String,
    partition: u32,
    /// What the broker knows: null while it is down.
    committed: Option<u64>,
    end: Option<u64>,
    lag: Option<u64>,
    behind_ms: Option<u64>,
    /// What goes on in it now, if it is this host that reads it.
    here: Option<View>,
}

/// While the broker is down, what is known without it: the partitions that this host reads.
pub async fn list(events: Option<&Events>) -> Response {
    let Some(events) = events else {
        let items = Vec::new();
        return answer(&Items {
            broker: None,
            items,
        });
    };
    let asked = timeout(ANSWER_MAX, lag::of(&*events.broker, &events.groups)).await;
    let (broker, lags) = match asked {
        Ok(Ok(lags)) => (State::Up, lags),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "how far behind the consumers are is not known"
            );
            (State::Down, Vec::new())
        }
        Err(_) => {
            tracing::warn!("the event broker did not say in time how far behind the consumers are");
            (State::Down, Vec::new())
        }
    };
    let items = items(lags, events.watch.views());
    let broker = Some(broker);
    answer(&Items { broker, items })
}

/// Each partition once: what the broker knows of it, and what goes on in it here.
fn items(lags: Vec<Lag>, mut views: Vec<View>) -> Vec<Item> {
    let mut items: Vec<_> = lags
        .into_iter()
        .map(|lag| {
            let here = views.iter().position(|view| {
                (&view.group, &view.topic, view.partition)
                    == (&lag.group, &lag.topic, lag.partition)
            });
            Item {
                here: here.map(|place| views.swap_remove(place)),
                group: lag.group,
                topic: lag.topic,
                partition: lag.partition,
                committed: Some(lag.committed),
                end: Some(lag.end),
                lag: Some(lag.lag),
                behind_ms: Some(lag.behind_ms),
            }
        })
        .collect();
    items.extend(views.into_iter().map(|view| Item {
        group: view.group.clone(),
        topic: view.topic.clone(),
        partition: view.partition,
        committed: None,
        end: None,
        lag: None,
        behind_ms: None,
        here: Some(view),
    }));
    items
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
        Refused::UnknownGroup(_) => Problem::not_there(refused.to_string()),
        Refused::UnreadTopic { .. } | Refused::UnknownPartition { .. } => {
            Problem::bad_request(refused.to_string())
        }
        Refused::Broker(_) => Problem::unavailable("the event broker"),
    }
}

/// An event by its place.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    topic: String,
    partition: u32,
    offset: u64,
}

/// Has the group leave out an event that has failed. 202: it goes to the dead letters once its pause
/// is over.
pub async fn skip(
    events: &Events,
    group: &str,
    request: Request<Incoming>,
    operator: &Claims,
) -> Result<Response, Problem> {
    let place: Place = body::json(request).await?;
    if !events.groups.iter().any(|known| known.name == group) {
        return Err(problem(Refused::UnknownGroup(group.to_owned())));
    }
    let Place {
        topic,
        partition,
        offset,
    } = &place;
    let skipped = events.watch.skip(group, topic, *partition, *offset);
    skipped.map_err(unskipped)?;
    let operator = &operator.sub;
    tracing::warn!(
        group,
        event.topic = topic,
        event.partition = partition,
        event.offset = offset,
        operator,
        "an event is to be left out"
    );
    Ok(answer_with(StatusCode::ACCEPTED, &place))
}

fn unskipped(unskippable: Unskippable) -> Problem {
    let kind = match unskippable {
        Unskippable::Elsewhere => "read-elsewhere",
        Unskippable::NotFailing => "not-failing",
    };
    Problem::conflict(kind, unskippable.to_string())
}
