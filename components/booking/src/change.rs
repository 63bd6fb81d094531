//! `POST /v1/bookings/{id}/cancel` and `…/reschedule`.

use jiff::Timestamp;
use praxis_domain::booking::{self, Refused, Status};
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
    let database = Database::open().await?;
    let booking = store::visible(&database, &claims, id).await?;
    booking::cancel(&booking.standing(), version, clock::now()).map_err(refusal::refused)?;
    let kind = match booking.status {
        // Nobody was told of a hold, so nobody is told that it is gone.
        Status::Held => BookingKind::HoldExpired,
        Status::Confirmed | Status::Cancelled | Status::Rescheduled | Status::Expired => {
            BookingKind::BookingCancelled
        }
    };
    let parameters = [
        database::uuid(id),
        ParameterValue::Int32(version),
        database::text(kind.name()),
    ];
    match store::change(&database, sql::CANCEL, &parameters).await? {
        Change::Done(cancelled) => {
            let answer = response::json(StatusCode::OK, &View::from(&cancelled));
            let etag = response::etag(cancelled.version.into());
            Ok(response::with(answer, "etag", &etag))
        }
        Change::NotApplied | Change::SlotTaken | Change::Repeated => {
            let again =
                |booking: &Booking| booking::cancel(&booking.standing(), version, clock::now());
            Err(changed_meanwhile(&database, &claims, id, again).await)
        }
    }
}

pub async fn reschedule(request: Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let version = request.if_match()?;
    let key = request.idempotency_key()?;
    let body: Body = request.json().await?;
    let once = Once::new(&claims, key, &format!("reschedule {id} {version}"), &body);
    let database = Database::open().await?;
    let caller = Caller::load(&database, &claims, Some(&once)).await?;
    if let Some(answer) = caller.answered(&once)? {
        return Ok(created(&answer));
    }
    let old = store::visible(&database, &claims, id).await?;
    let moved = match booking::reschedule(&old.standing(), version, clock::now()) {
        Ok(()) => move_to(&database, &claims, &old, body.slot_start, &once).await,
        Err(reason) => Err(refusal::refused(reason)),
    };
    let answer = unless_answered(moved, &database, &claims, &once).await?;
    Ok(created(&answer))
}

/// One statement: there is no moment at which the old slot is free and the new one is not taken.
async fn move_to(
    database: &Database,
    claims: &Claims,
    old: &Booking,
    slot_start: Timestamp,
    once: &Once,
) -> Result<View, Problem> {
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
    match store::change(database, sql::RESCHEDULE, &parameters).await? {
        Change::Done(_) => Ok(answer),
        Change::SlotTaken => Err(wanted.taken(database).await),
        Change::NotApplied | Change::Repeated => {
            let again = |booking: &Booking| {
                booking::reschedule(&booking.standing(), old.version, clock::now())
            };
            Err(changed_meanwhile(database, claims, old.id, again).await)
        }
    }
}

/// Why a change did not apply: decided again, from the booking as it is now.
async fn changed_meanwhile(
    database: &Database,
    claims: &Claims,
    id: Uuid,
    decide: impl FnOnce(&Booking) -> Result<(), Refused>,
) -> Problem {
    match store::visible(database, claims, id).await {
        Err(problem) => problem,
        Ok(booking) => match decide(&booking) {
            Err(reason) => refusal::refused(reason),
            Ok(()) => database::Error::Contention.into(),
        },
    }
}
