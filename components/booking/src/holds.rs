//! `POST /v1/holds/{id}/heartbeat` and `DELETE /v1/holds/{id}`; and what time takes away: holds that have
//! run out, announced, so that their slots are free for everybody to see; old receipts and notes of
//! erasures; and waiting whose time is over.

use praxis_domain::booking::HOLD_SECONDS;
use praxis_domain::hold::{self, HOLD_SECONDS_MAX};
use praxis_platform::auth::Claims;
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::events::{Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::book::BOOKERS;
use crate::record::{Booking, View};
use crate::store::{self, Change};
use crate::{change, refusal, sql, waitlist};

const HOLDS_PER_STATEMENT_MAX: i32 = 100;
const RECEIPTS_PER_STATEMENT_MAX: i32 = 1000;
const ERASURES_PER_STATEMENT_MAX: i32 = 1000;
const STATEMENTS_PER_TICK_MAX: u32 = 50;

/// The hold's holder is still there. Needs no `If-Match`: two heartbeats do what one does.
pub async fn heartbeat(request: &Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let database = Database::open().await?;
    let held = store::settled(async || try_extend(&database, &claims, id).await).await?;
    let answer = response::json(StatusCode::OK, &View::from(&held));
    let etag = response::etag(held.version.into());
    Ok(response::with(answer, "etag", &etag))
}

async fn try_extend(
    database: &Database,
    claims: &Claims,
    id: Uuid,
) -> Result<Option<Booking>, Problem> {
    let (held, actor) = store::seen(database, claims, id).await?;
    let until = hold::heartbeat(&held.standing(), held.created_at, clock::now());
    if until.map_err(refusal::refused)?.is_none() {
        return Ok(Some(held));
    }
    let parameters = [
        database::uuid(id),
        ParameterValue::Int32(held.version),
        ParameterValue::Int32(HOLD_SECONDS),
        ParameterValue::Int32(HOLD_SECONDS_MAX),
        actor.parameter(),
    ];
    match store::change(database, sql::EXTEND_HOLD, &parameters).await? {
        Change::Done(held) => Ok(Some(held)),
        Change::NotApplied
        | Change::SlotTaken
        | Change::Repeated
        | Change::TooManyHolds
        | Change::Misaligned => Ok(None),
    }
}

/// Gives a hold back. `If-Match` is honoured where it is sent, but not needed: what its holder does
/// not want any more is theirs to give back, however often it was extended.
pub async fn release(request: &Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let expected = request.if_match_if_sent()?;
    let database = Database::open_for(request.traceparent()).await?;
    let released = store::settled(async || {
        let (held, actor) = store::seen(&database, &claims, id).await?;
        hold::release(&held.standing(), expected, clock::now()).map_err(refusal::refused)?;
        change::give_back(&database, &held, &actor).await
    });
    released.await?;
    Ok(response::no_content())
}

/// What a timer asks for.
pub async fn expire(delivery: &Delivery) -> Result<(), Failure> {
    let database = Database::open_for(delivery.traceparent.as_deref()).await?;
    for _ in 0..STATEMENTS_PER_TICK_MAX {
        let limit = ParameterValue::Int32(HOLDS_PER_STATEMENT_MAX);
        let parameters = vec![limit, database.trace()];
        let row = database.row(sql::EXPIRE_HOLDS, parameters).await?;
        let expired: i64 = row.map_or(Ok(0), |row| row.get("expired"))?;
        if expired < HOLDS_PER_STATEMENT_MAX.into() {
            break;
        }
    }
    // One statement a tick is enough, for nobody waits for it.
    let limit = ParameterValue::Int32(RECEIPTS_PER_STATEMENT_MAX);
    database.row(sql::PRUNE_RECEIPTS, vec![limit]).await?;
    let limit = ParameterValue::Int32(ERASURES_PER_STATEMENT_MAX);
    database.row(sql::PRUNE_ERASURES, vec![limit]).await?;
    waitlist::prune(&database).await?;
    Ok(())
}
