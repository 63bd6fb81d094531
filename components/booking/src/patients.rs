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

use crate::caller::{self, Caller, optional_text};
use crate::record::Patient;
use crate::{sql, store};

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
    Ok(match caller.patient() {
        Some(patient) => response::json(StatusCode::OK, &View::from(patient)),
        None => {
            let profile = caller::profile(&claims);
            response::json(StatusCode::OK, &View::from(&profile))
        }
    })
}

/// Replaces the whole profile.
pub async fn put(request: Request) -> Result<Response, Problem> {
    let claims = patient(&request)?;
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
    ];
    let database = Database::open().await?;
    let row = database.row(sql::PUT_PATIENT, parameters).await?;
    let row = row.ok_or_else(|| Problem::internal("no row for the patient"))?;
    let patient: Patient = row.json("patient")?;
    Ok(response::json(StatusCode::OK, &View::from(&patient)))
}

/// Forgets the person and what they wait for, and cancels what is to come. Their bookings stay, and tell of nobody.
pub async fn erase(request: &Request) -> Result<Response, Problem> {
    let claims = patient(request)?;
    let database = Database::open().await?;
    store::retried(async || try_erase(&database, &claims.sub).await).await?;
    Ok(response::no_content())
}

async fn try_erase(database: &Database, subject: &str) -> Result<(), database::Error> {
    database.execute("begin", Vec::new()).await?;
    let erased = lock_and_erase(database, subject).await;
    let end = if erased.is_ok() { "commit" } else { "rollback" };
    let ended = database.execute(end, Vec::new()).await;
    // Why it failed counts for more than how the transaction ended.
    erased?;
    ended.map(drop)
}

/// The lock first: what was booked before it is there for the statements after it to see.
async fn lock_and_erase(database: &Database, subject: &str) -> Result<(), database::Error> {
    let statements = [
        sql::LOCK_PATIENT,
        sql::DROP_WAITING,
        sql::ERASE_PATIENT,
        sql::DROP_RECEIPTS,
    ];
    for statement in statements {
        let parameters = vec![database::text(subject)];
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
