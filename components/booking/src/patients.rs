//! `GET`, `PUT` and `DELETE /v1/patients/me`.

use praxis_domain::patient::{Channel, Profile};
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::caller::{self, Caller, issued, optional_text};
use crate::record::Patient;
use crate::{refusal, sql, store};

#[derive(Serialize)]
struct View<'a> {
    /// None until the first booking, or until they say who they are.
    patient_id: Option<Uuid>,
    name: Option<&'a str>,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    locale: Option<&'a str>,
    channels: &'a [Channel],
}

/// What is known of the caller; before anything is, what their token says.
pub async fn get(request: &Request) -> Result<Response, Problem> {
    let claims = patient(request)?;
    let database = Database::open().await?;
    let caller = Caller::load(&database, &claims, None).await?;
    let profile;
    let view = match caller.patient() {
        Some(patient) => View::from(patient),
        None => {
            profile = caller::profile(&claims);
            View::from(&profile)
        }
    };
    Ok(answer(&view, caller.patient()))
}

/// Replaces the whole profile; where a version is named, only that one.
pub async fn put(request: Request) -> Result<Response, Problem> {
    let claims = patient(&request)?;
    let seen: Option<i32> = request.if_match_if_sent()?;
    let profile: Profile = request.json().await?;
    let errors = profile.check();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let channels = profile.channels.iter();
    let channels = channels.map(|channel| Some(channel.name().to_owned()));
    let parameters = vec![
        database::uuid(clock::new_id()),
        database::text(&claims.sub),
        optional_text(&profile.name),
        optional_text(&profile.email),
        optional_text(&profile.phone),
        optional_text(&profile.locale),
        ParameterValue::ArrayStr(channels.collect()),
        issued(&claims),
        database::optional(seen, ParameterValue::Int32),
    ];
    let database = Database::open().await?;
    let row = database.row(sql::PUT_PATIENT, parameters).await?;
    let row = row.ok_or_else(|| Problem::internal("no row for the patient"))?;
    if !row.get::<bool>("may")? {
        return Err(refusal::erased());
    }
    if let Some(patient) = row.optional_json::<Patient>("patient")? {
        return Ok(answer(&View::from(&patient), Some(&patient)));
    }
    let caller = Caller::load(&database, &claims, None).await?;
    Err(Problem::version_conflict(version(caller.patient())))
}

fn answer(view: &View, patient: Option<&Patient>) -> Response {
    let answer = response::json(StatusCode::OK, view);
    response::with(answer, "etag", &response::etag(version(patient)))
}

/// Of a profile that nobody has written yet: 0.
fn version(patient: Option<&Patient>) -> i64 {
    patient.map_or(0, |patient| patient.version.into())
}

/// Forgets the person and what they wait for, and cancels what is to come. Their bookings stay, and tell of nobody.
pub async fn erase(request: &Request) -> Result<Response, Problem> {
    let claims = patient(request)?;
    let database = Database::open_for(request.traceparent()).await?;
    let erased = async || {
        let all = async || lock_and_erase(&database, &claims.sub).await;
        database.transaction(all).await
    };
    store::retried(erased).await?;
    Ok(response::no_content())
}

/// The locks first: what was made and booked before them is there for the statements after them to see.
async fn lock_and_erase(database: &Database, subject: &str) -> Result<(), database::Error> {
    let subject = || database::text(subject);
    let statements = [
        (sql::NOTE_ERASURE, vec![subject()]),
        (sql::LOCK_PATIENT, vec![subject()]),
        (sql::DROP_WAITING, vec![subject()]),
        (sql::ERASE_PATIENT, vec![subject(), database.trace()]),
        (sql::DROP_RECEIPTS, vec![subject()]),
    ];
    for (statement, parameters) in statements {
        database.rows(statement, parameters).await?;
    }
    Ok(())
}

fn patient(request: &Request) -> Result<Claims, Problem> {
    let claims = request.claims()?;
    claims.require(&[Role::Patient])?;
    Ok(claims)
}

impl<'a> From<&'a Patient> for View<'a> {
    fn from(patient: &'a Patient) -> Self {
        Self {
            patient_id: Some(patient.id),
            name: patient.name.as_deref(),
            email: patient.email.as_deref(),
            phone: patient.phone.as_deref(),
            locale: patient.locale.as_deref(),
            channels: &patient.channels,
        }
    }
}

impl<'a> From<&'a Profile> for View<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self {
            patient_id: None,
            name: profile.name.as_deref(),
            email: profile.email.as_deref(),
            phone: profile.phone.as_deref(),
            locale: profile.locale.as_deref(),
            channels: &profile.channels,
        }
    }
}
