//! Bookings in the database: found, and changed by one statement each.

use praxis_platform::auth::Claims;
use praxis_platform::database::{self, Database, OnConstraint as _, ParameterValue};
use praxis_platform::problem::Problem;
use uuid::Uuid;

use crate::actor::Actor;
use crate::record::Booking;
use crate::{caller, sql};

/// Two changes may wait for each other: PostgreSQL ends one, which is tried again.
const ATTEMPTS_MAX: u32 = 3;

/// How often a change is decided anew because what it was decided from has changed.
const DECISIONS_MAX: u32 = 4;

/// How a change ended.
pub enum Change {
    /// The booking as it is now.
    Done(Booking),
    /// The booking or the practitioner was not any more what the caller had seen.
    NotApplied,
    /// Somebody else has the slot.
    SlotTaken,
    /// The `Idempotency-Key` was used in the meantime.
    Repeated,
    /// As many slots are held for the patient as may be.
    TooManyHolds,
    /// The database knows other rules of the practitioner's zone than we do, or none, or another zone.
    Misaligned,
}

/// Load, decide and save, until it is saved or refused. `decide` gives none where something came
/// in between, and then looks again.
pub async fn settled<T>(
    mut decide: impl AsyncFnMut() -> Result<Option<T>, Problem>,
) -> Result<T, Problem> {
    for _ in 0..DECISIONS_MAX {
        if let Some(settled) = decide().await? {
            return Ok(settled);
        }
    }
    Err(database::Error::Contention.into())
}

/// A booking that the caller may see; 404 where there is none.
pub async fn visible(
    database: &Database,
    claims: &Claims,
    booking: Uuid,
) -> Result<Booking, Problem> {
    let (booking, _) = seen(database, claims, booking).await?;
    Ok(booking)
}

/// A booking that the caller may see, and as whom they change it; 404 where there is none.
pub async fn seen(
    database: &Database,
    claims: &Claims,
    booking: Uuid,
) -> Result<(Booking, Actor), Problem> {
    let mut parameters = vec![database::uuid(booking)];
    parameters.extend(caller::sees(claims));
    let row = database.row(sql::VISIBLE, parameters).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let booking: Booking = row.json("booking")?;
    let actor = match row.get::<String>("role")?.as_str() {
        "patient" => Actor::patient(booking.patient_id),
        "practitioner" => Actor::practitioner(claims),
        _ => Actor::staff(claims),
    };
    Ok((booking, actor))
}

/// Runs a statement that changes one booking.
pub async fn change(
    database: &Database,
    statement: &str,
    parameters: &[ParameterValue],
) -> Result<Change, database::Error> {
    retried(async || once(database, statement, parameters.to_vec()).await).await
}

/// Runs a statement again where it gave way to another one.
pub async fn retried<T>(
    mut run: impl AsyncFnMut() -> Result<T, database::Error>,
) -> Result<T, database::Error> {
    let mut attempt = 1;
    loop {
        match run().await {
            Err(database::Error::Contention) if attempt < ATTEMPTS_MAX => attempt += 1,
            outcome => return outcome,
        }
    }
}

async fn once(
    database: &Database,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<Change, database::Error> {
    let row = database.row(statement, parameters).await;
    let changed = row.and_then(|row| match row {
        Some(row) => row.json("booking").map(Change::Done),
        None => Ok(Change::NotApplied),
    });
    changed
        .on_constraint(sql::NO_DOUBLE_BOOK, || Ok(Change::SlotTaken))
        .or_else(|error: database::Error| {
            Err(error).on_constraint(sql::AT_ONE_PLACE, || Ok(Change::SlotTaken))
        })
        .or_else(|error: database::Error| {
            Err(error).on_constraint(sql::RECEIPT_KEY, || Ok(Change::Repeated))
        })
        .or_else(|error: database::Error| {
            Err(error).on_constraint(sql::HOLDS_PER_PATIENT, || Ok(Change::TooManyHolds))
        })
        .or_else(|error: database::Error| {
            Err(error).on_constraint(sql::SLOT_ALIGNED, || Ok(Change::Misaligned))
        })
}
