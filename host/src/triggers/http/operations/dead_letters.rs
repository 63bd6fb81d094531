//! `/v1/ops/dead-letters`: the events that were given up on, and what becomes of them.

use http::Request;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::super::auth::Claims;
use super::super::{Problem, Response, get_only};
use super::{answer, body, post_only};
use crate::triggers::kafka::dead_letters::{DeadLetters, Id, LETTERS_MAX, Refused};

/// Letters on a page where nobody says how many.
const LIMIT_DEFAULT: usize = 50;

/// What is done with one letter.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    Show,
    Redrive,
    Discard,
}

/// Those that are open, a page of them: `?topic=&limit=&cursor=`.
pub async fn list(letters: &DeadLetters, query: Option<&str>) -> Result<Response, Problem> {
    let mut topic = None;
    let mut limit = LIMIT_DEFAULT;
    let mut after = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "topic" => topic = Some(value.into_owned()),
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|n| (1..=LETTERS_MAX).contains(n))
                    .ok_or_else(|| {
                        Problem::bad_request(format!("limit: a number from 1 to {LETTERS_MAX}"))
                    })?;
            }
            "cursor" => {
                after = Some(id(&value).map_err(|_| Problem::bad_request("cursor: none of ours"))?)
            }
            _ => return Err(Problem::bad_request(format!("{name}: no such parameter"))),
        }
    }
    let page = letters.list(topic.as_deref(), after.as_ref(), limit).await;
    Ok(answer(&page.map_err(problem)?))
}

#[derive(Serialize)]
struct Done<'a> {
    id: &'a Id,
    outcome: &'static str,
}

pub async fn act(
    letters: &DeadLetters,
    act: Act,
    named: &str,
    request: &Request<Incoming>,
    operator: &Claims,
) -> Result<Response, Problem> {
    match act {
        Act::Show => get_only(request.method())?,
        Act::Redrive | Act::Discard => post_only(request.method())?,
    }
    let id = id(named)?;
    let outcome = match act {
        Act::Show => {
            return letters
                .find(&id)
                .await
                .map(|letter| answer(&letter))
                .map_err(problem);
        }
        Act::Redrive => letters.redrive(&id).await.map(|()| "redriven"),
        Act::Discard => letters.discard(&id).await.map(|()| "discarded"),
    };
    let outcome = outcome.map_err(problem)?;
    let operator = &operator.sub;
    tracing::info!(dead_letter = %id, operator, "{outcome}");
    Ok(answer(&Done { id: &id, outcome }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    topic: String,
}

/// All of one topic, as many as one call may.
pub async fn redrive_all(
    letters: &DeadLetters,
    request: Request<Incoming>,
    operator: &Claims,
) -> Result<Response, Problem> {
    post_only(request.method())?;
    let Topic { topic } = body::json(request).await?;
    let done = letters.redrive_all(&topic).await.map_err(problem)?;
    let operator = &operator.sub;
    let redriven = done.redriven.len();
    tracing::info!(
        event.topic = topic,
        redriven,
        operator,
        "dead letters redriven"
    );
    Ok(answer(&done))
}

fn id(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|()| problem(Refused::Unknown))
}

fn problem(refused: Refused) -> Problem {
    let reason = refused.to_string();
    match refused {
        Refused::Unknown => Problem::not_there(reason),
        Refused::Earlier(_) => Problem::conflict("earlier-dead-letter", reason),
        Refused::Malformed => Problem::conflict("malformed-event", reason),
        Refused::Unwanted(_) => Problem::conflict("event-refused", reason),
        Refused::Homeless => Problem::conflict("topic-gone", reason),
        Refused::Unread(_) => Problem::conflict("group-gone", reason),
        Refused::Broker(_) => Problem::unavailable("the event broker"),
    }
}
