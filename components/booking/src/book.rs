//! `POST /v1/bookings` and `POST /v1/holds`.

use jiff::Timestamp;
use praxis_domain::FieldError;
use praxis_domain::booking::{self, HOLD_SECONDS, HOLDS_PER_PATIENT_MAX, Status};
use praxis_domain::event::BookingKind;
use praxis_domain::slot::Slot;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::{Deserialize, Serialize};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::actor::Actor;
use crate::anyone::{self, Search};
use crate::at_once::{self, Wish};
use crate::caller::{Caller, Once};
use crate::offer::Wanted;
use crate::record::{Booking, View};
use crate::store::{self, Change};
use crate::{refusal, sql};

pub const BOOKERS: [Role; 3] = [Role::Patient, Role::Practitioner, Role::Staff];

/// What is asked for: a slot, a hold to be made a booking, or any practitioner's next free slot.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Body {
    practitioner_id: Option<Uuid>,
    slot_start: Option<Timestamp>,
    /// Whom staff or a practitioner books for.
    patient_id: Option<Uuid>,
    hold_id: Option<Uuid>,
    /// In place of `practitioner_id` and `slot_start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Search>,
}

/// A slot that is offered, and for whom.
pub struct Granted {
    pub wanted: Wanted,
    pub slot: Slot,
    pub patient: Uuid,
    pub actor: Actor,
}

/// How it ended to book a slot that was granted.
pub enum Attempt {
    Booked(View),
    /// Somebody else has it.
    Taken,
    /// Something came in between: decide again.
    Again,
}

pub async fn book(request: Request) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let key = request.idempotency_key()?;
    let traceparent = request.traceparent().map(str::to_owned);
    let body: Body = request.json().await?;
    body.check()?;
    let once = Once::new(&claims, key, "book", &body);
    let database = Database::open_for(traceparent.as_deref()).await?;
    let mut known = None;
    if let Some(wish) = body.ordinary(&claims) {
        match at_once::book(&database, &claims, &wish, &once).await? {
            at_once::Attempt::Booked(answer) => return Ok(created(&answer)),
            at_once::Attempt::Undecided(caller) => known = Some(caller),
            at_once::Attempt::Again => {}
        }
    }
    let booked = store::settled(async || {
        let caller = match known.take() {
            Some(caller) => caller,
            None => Caller::load(&database, &claims, Some(&once)).await?,
        };
        if let Some(answer) = caller.answered(&once)? {
            return Ok(Some(answer));
        }
        match (body.hold_id, &body.search) {
            (Some(hold), _) => confirm(&database, &claims, hold, &body, &once).await,
            (None, Some(search)) => {
                anyone::book(&database, &caller, search, body.patient_id, &once).await
            }
            (None, None) => {
                let granted = grant(&database, &caller, &body).await?;
                insert(&database, &granted, &once).await
            }
        }
    });
    let answer = unless_answered(booked.await, &database, &claims, &once).await?;
    Ok(created(&answer))
}

pub async fn hold(request: Request) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let traceparent = request.traceparent().map(str::to_owned);
    let body: Body = request.json().await?;
    let of_bookings = [
        ("/hold_id", body.hold_id.is_some()),
        ("/search", body.search.is_some()),
    ];
    if let Some((pointer, _)) = of_bookings.iter().find(|(_, is_there)| *is_there) {
        return Err(Problem::field(*pointer, "belongs to a booking"));
    }
    let database = Database::open_for(traceparent.as_deref()).await?;
    let held = store::settled(async || {
        let caller = Caller::load(&database, &claims, None).await?;
        let granted = grant(&database, &caller, &body).await?;
        granted.wanted.make_way(&database).await?;
        let receipt = [const { ParameterValue::DbNull }; 4];
        let parameters = granted.insertion(&database, clock::new_id(), Status::Held, receipt);
        match store::change(&database, sql::BOOK, &parameters).await? {
            Change::Done(held) => Ok(Some(View::from(&held))),
            Change::NotApplied | Change::Repeated => Ok(None),
            Change::SlotTaken => Err(granted.wanted.taken(&database).await),
            Change::TooManyHolds => Err(refusal::too_many_holds()),
            Change::Misaligned => {
                granted.wanted.teach_zone(&database).await?;
                Ok(None)
            }
        }
    });
    Ok(created(&held.await?))
}

/// `201`, and where the booking is.
pub fn created(answer: &View) -> Response {
    let location = format!("/v1/bookings/{}", answer.booking_id);
    let response = response::json(StatusCode::CREATED, answer);
    let response = response::with(response, "location", &location);
    response::with(response, "etag", &response::etag(answer.version.into()))
}

/// The slot that the body asks for, if the practitioner offers it and the caller may have it.
async fn grant(database: &Database, caller: &Caller, body: &Body) -> Result<Granted, Problem> {
    let (practitioner, slot_start) = slot_of(body)?;
    let wanted = Wanted::load(database, practitioner, slot_start, clock::now()).await?;
    // Before anything is told of the practitioner's time.
    let (patient, actor) = caller
        .books_for(database, &wanted.snapshot, body.patient_id)
        .await?;
    let slot = wanted.offered(database).await?;
    Ok(Granted {
        wanted,
        slot,
        patient,
        actor,
    })
}

fn slot_of(body: &Body) -> Result<(Uuid, Timestamp), Problem> {
    if let (Some(practitioner), Some(slot_start)) = (body.practitioner_id, body.slot_start) {
        return Ok((practitioner, slot_start));
    }
    let fields = [
        ("/practitioner_id", body.practitioner_id.is_none()),
        ("/slot_start", body.slot_start.is_none()),
    ];
    let missing = fields.iter().filter(|(_, is_missing)| *is_missing);
    let errors = missing.map(|(pointer, _)| FieldError::new(*pointer, "is missing"));
    Err(Problem::invalid(errors.collect()))
}

async fn insert(
    database: &Database,
    granted: &Granted,
    once: &Once,
) -> Result<Option<View>, Problem> {
    match attempt(database, granted, once).await? {
        Attempt::Booked(answer) => Ok(Some(answer)),
        Attempt::Taken => Err(granted.wanted.taken(database).await),
        Attempt::Again => Ok(None),
    }
}

/// Books, with the receipt.
pub async fn attempt(
    database: &Database,
    granted: &Granted,
    once: &Once,
) -> Result<Attempt, Problem> {
    let id = clock::new_id();
    let zone = granted.wanted.snapshot.zone();
    let practitioner = granted.wanted.practitioner;
    let answer = View::confirmed(id, practitioner, granted.patient, &granted.slot, zone);
    let receipt = once.receipt(&answer);
    granted.wanted.make_way(database).await?;
    let parameters = granted.insertion(database, id, Status::Confirmed, receipt);
    match store::change(database, sql::BOOK, &parameters).await? {
        Change::Done(_) => Ok(Attempt::Booked(answer)),
        Change::NotApplied | Change::Repeated => Ok(Attempt::Again),
        Change::SlotTaken => Ok(Attempt::Taken),
        Change::TooManyHolds => Err(refusal::too_many_holds()),
        Change::Misaligned => {
            granted.wanted.teach_zone(database).await?;
            Ok(Attempt::Again)
        }
    }
}

impl Body {
    /// A slot that its caller wants for themselves.
    fn ordinary(&self, claims: &Claims) -> Option<Wish> {
        if self.patient_id.is_some() || self.hold_id.is_some() || self.search.is_some() {
            return None;
        }
        Wish::of(claims, self.practitioner_id, self.slot_start)
    }

    /// A search stands alone; 400 at what is there beside it.
    fn check(&self) -> Result<(), Problem> {
        if self.search.is_none() {
            return Ok(());
        }
        let others = [
            ("/practitioner_id", self.practitioner_id.is_some()),
            ("/slot_start", self.slot_start.is_some()),
            ("/hold_id", self.hold_id.is_some()),
        ];
        let others = others.iter().filter(|(_, is_there)| *is_there);
        let errors: Vec<_> = others
            .map(|(pointer, _)| FieldError::new(*pointer, "does not go with search"))
            .collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(Problem::invalid(errors)),
        }
    }
}

impl Granted {
    /// The parameters of `sql::BOOK`.
    fn insertion(
        &self,
        database: &Database,
        id: Uuid,
        status: Status,
        receipt: [ParameterValue; 4],
    ) -> Vec<ParameterValue> {
        let (seconds, kind) = match status {
            Status::Held => (Some(HOLD_SECONDS), BookingKind::SlotHeld),
            Status::Confirmed | Status::Cancelled | Status::Rescheduled | Status::Expired => {
                (None, BookingKind::BookingCreated)
            }
        };
        let snapshot = &self.wanted.snapshot;
        let mut parameters = vec![
            database::uuid(id),
            database::uuid(self.wanted.practitioner),
            database::text(&snapshot.tenant_id),
            database::uuid(self.patient),
            database::seconds(self.slot.start()),
            database::date(self.slot.date()),
            ParameterValue::Int32(self.slot.hour().into()),
            database::text(snapshot.zone().name()),
            database::text(status.name()),
            database::optional(seconds, ParameterValue::Int32),
            database::uuid(clock::new_id()),
            database::text(kind.name()),
        ];
        parameters.extend(receipt);
        parameters.push(ParameterValue::Int64(snapshot.profile_version));
        parameters.push(ParameterValue::Int32(HOLDS_PER_PATIENT_MAX));
        parameters.push(self.actor.parameter());
        parameters.push(database.trace());
        parameters
    }
}

async fn confirm(
    database: &Database,
    claims: &Claims,
    hold: Uuid,
    body: &Body,
    once: &Once,
) -> Result<Option<View>, Problem> {
    let (held, actor) = store::seen(database, claims, hold).await?;
    matches_hold(body, &held)?;
    let now = clock::now();
    booking::confirm(&held.standing(), now).map_err(refusal::refused)?;
    let wanted = Wanted::load(database, held.practitioner_id, held.slot_start, now).await?;
    // However soon it is by now: that was asked when it was held.
    wanted.stands()?;
    let answer = View {
        status: Status::Confirmed,
        version: held.version + 1,
        expires_at: None,
        ..View::from(&held)
    };
    let mut parameters = vec![database::uuid(hold)];
    parameters.extend(once.receipt(&answer));
    parameters.push(ParameterValue::Int64(wanted.snapshot.profile_version));
    parameters.push(actor.parameter());
    parameters.push(database.trace());
    match store::change(database, sql::CONFIRM, &parameters).await? {
        Change::Done(_) => Ok(Some(answer)),
        Change::NotApplied
        | Change::SlotTaken
        | Change::Repeated
        | Change::TooManyHolds
        | Change::Misaligned => Ok(None),
    }
}

/// What a body says beside its `hold_id` must be what is held.
fn matches_hold(body: &Body, held: &Booking) -> Result<(), Problem> {
    let differs = |said: Option<Uuid>, is: Uuid| said.is_some_and(|said| said != is);
    let fields = [
        (
            "/practitioner_id",
            differs(body.practitioner_id, held.practitioner_id),
        ),
        ("/patient_id", differs(body.patient_id, held.patient_id)),
        (
            "/slot_start",
            body.slot_start.is_some_and(|said| said != held.slot_start),
        ),
    ];
    match fields.iter().find(|(_, differs)| *differs) {
        Some((pointer, _)) => Err(Problem::field(*pointer, "is not what is held")),
        None => Ok(()),
    }
}

/// The outcome; but where it is a conflict, perhaps it was this very request that came first, sent
/// twice at the same moment: then what that one was answered.
pub async fn unless_answered(
    outcome: Result<View, Problem>,
    database: &Database,
    claims: &Claims,
    once: &Once,
) -> Result<View, Problem> {
    let refused = match outcome {
        Err(refused) if refused.is_conflict() => refused,
        settled => return settled,
    };
    let caller = Caller::load(database, claims, Some(once)).await?;
    caller.answered(once)?.ok_or(refused)
}
