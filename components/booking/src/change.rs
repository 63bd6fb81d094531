//! `POST /v1/bookings/{id}/cancel` and `…/reschedule`.

use jiff::Timestamp;
use praxis_domain::booking::{self, Status};
use praxis_domain::event::BookingKind;
use praxis_platform::auth::Claims;
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::{Deserialize, Serialize};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::actor::Actor;
use crate::book::{BOOKERS, created, unless_answered};
use crate::caller::{Caller, Once};
use crate::offer::Wanted;
use crate::record::{Booking, View};
use crate::store::{self, Change};
use crate::{refusal, sql};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Body {
    slot_start: Timestamp,
}

pub async fn cancel(request: &Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let version = request.if_match()?;
    let database = Database::open_for(request.traceparent()).await?;
    let cancelled = store::settled(async || try_cancel(&database, &claims, id, version).await);
    let cancelled = cancelled.await?;
    let answer = response::json(StatusCode::OK, &View::from(&cancelled));
    let etag = response::etag(cancelled.version.into());
    Ok(response::with(answer, "etag", &etag))
}

async fn try_cancel(
    database: &Database,
    claims: &Claims,
    id: Uuid,
    version: i32,
) -> Result<Option<Booking>, Problem> {
    let (booking, actor) = store::seen(database, claims, id).await?;
    booking::cancel(&booking.standing(), version, clock::now()).map_err(refusal::refused)?;
    give_back(database, &booking, &actor).await
}

/// Ends a booking or a hold. None where it has changed in the meantime.
pub async fn give_back(
    database: &Database,
    booking: &Booking,
    actor: &Actor,
) -> Result<Option<Booking>, Problem> {
    let kind = match booking.status {
        // Nobody was told of a hold, so nobody is told that it is gone.
        Status::Held => BookingKind::HoldExpired,
        Status::Confirmed | Status::Cancelled | Status::Rescheduled | Status::Expired => {
            BookingKind::BookingCancelled
        }
    };
    let parameters = [
        database::uuid(booking.id),
        ParameterValue::Int32(booking.version),
        database::text(kind.name()),
        actor.parameter(),
        database.trace(),
    ];
    match store::change(database, sql::CANCEL, &parameters).await? {
        Change::Done(ended) => Ok(Some(ended)),
        Change::NotApplied
        | Change::SlotTaken
        | Change::Repeated
        | Change::TooManyHolds
        | Change::Misaligned => Ok(None),
    }
}

pub async fn reschedule(request: Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let version = request.if_match()?;
    let key = request.idempotency_key()?;
    let traceparent = request.traceparent().map(str::to_owned);
    let body: Body = request.json().await?;
    let once = Once::new(&claims, key, &format!("reschedule {id} {version}"), &body);
    let database = Database::open_for(traceparent.as_deref()).await?;
    let moved = store::settled(async || {
        let caller = Caller::load(&database, &claims, Some(&once)).await?;
        if let Some(answer) = caller.answered(&once)? {
            return Ok(Some(answer));
        }
        let (old, actor) = store::seen(&database, &claims, id).await?;
        booking::reschedule(&old.standing(), version, body.slot_start, clock::now())
            .map_err(refusal::refused)?;
        move_to(&database, &old, &actor, body.slot_start, &once).await
    });
    let answer = unless_answered(moved.await, &database, &claims, &once).await?;
    Ok(created(&answer))
}

/// One statement: there is no moment at which the old slot is free and the new one is not taken.
async fn move_to(
    database: &Database,
    old: &Booking,
    actor: &Actor,
    slot_start: Timestamp,
    once: &Once,
) -> Result<Option<View>, Problem> {
    let wanted = Wanted::load(database, old.practitioner_id, slot_start, clock::now()).await?;
    let slot = wanted.offered(database).await?;
    let zone = wanted.snapshot.zone();
    let id = clock::new_id();
    let answer = View {
        rescheduled_from: Some(old.id),
        ..View::confirmed(id, old.practitioner_id, old.patient_id, &slot, zone)
    };
    let mut parameters = vec![
        database::uuid(old.id),
        ParameterValue::Int32(old.version),
        database::uuid(id),
        database::seconds(slot.start()),
        database::date(slot.date()),
        ParameterValue::Int32(slot.hour().into()),
        database::text(zone.name()),
    ];
    parameters.extend(once.receipt(&answer));
    parameters.push(ParameterValue::Int64(wanted.snapshot.profile_version));
    parameters.push(actor.parameter());
    parameters.push(database.trace());
    wanted.make_way(database).await?;
    match store::change(database, sql::RESCHEDULE, &parameters).await? {
        Change::Done(_) => Ok(Some(answer)),
        Change::SlotTaken => Err(wanted.taken(database).await),
        Change::Misaligned => {
            wanted.teach_zone(database).await?;
            Ok(None)
        }
        Change::NotApplied | Change::Repeated | Change::TooManyHolds => Ok(None),
    }
}
