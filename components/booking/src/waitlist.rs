//! `/v1/waitlist`: waiting for a slot that somebody gives back.

mod entry;
mod freed;
mod sql;

pub use freed::hear;

use jiff::Timestamp;
use praxis_domain::FieldError;
use praxis_domain::area::{Area, Window};
use praxis_domain::booking::Status;
use praxis_domain::waitlist::ENTRIES_PER_PATIENT_MAX;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, OnConstraint as _, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::{Deserialize, Serialize};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::caller::Caller;
use crate::{change, refusal, store};

/// More than ever wait: what was fulfilled is shown as well, until its time is over.
const ENTRIES_SHOWN_MAX: i32 = 100;
const ENTRIES_PER_STATEMENT_MAX: i32 = 1000;

/// For whom, and when the slot may begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    practitioner_id: Option<Uuid>,
    search: Option<Area>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

#[derive(Serialize)]
struct Page {
    items: Vec<entry::View>,
}

/// `201`, or `200` with the entry that is there: the same wish is not kept twice.
pub async fn add(request: Request) -> Result<Response, Problem> {
    let claims = patient(&request)?;
    let body: Body = request.json().await?;
    let now = clock::now();
    let wish = body.checked(now)?;
    let database = Database::open().await?;
    let caller = Caller::load(&database, &claims, None).await?;
    let patient = caller.own_patient(&database).await?;
    let (row, status) = match same(&database, patient, &wish).await? {
        Some(row) => (row, StatusCode::OK),
        None => kept(&database, patient, &wish).await?,
    };
    Ok(response::json(status, &entry::view(&row, now)?))
}

/// The oldest first.
pub async fn list(request: &Request) -> Result<Response, Problem> {
    let claims = patient(request)?;
    request.query(&[])?;
    let database = Database::open().await?;
    let parameters = vec![
        database::text(&claims.sub),
        ParameterValue::Int32(ENTRIES_SHOWN_MAX),
    ];
    let rows = database.rows(sql::LIST, parameters).await?;
    let now = clock::now();
    let items = rows.iter().map(|row| entry::view(row, now));
    let items = items.collect::<Result<_, _>>()?;
    Ok(response::json(StatusCode::OK, &Page { items }))
}

/// Ends the waiting, and gives back what is offered.
pub async fn withdraw(request: &Request, id: Uuid) -> Result<Response, Problem> {
    let claims = patient(request)?;
    let database = Database::open().await?;
    let parameters = vec![database::uuid(id), database::text(&claims.sub)];
    let row = database.row(sql::WITHDRAW, parameters).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let hold: Option<String> = row.get("hold")?;
    // If we die in between, the hold runs out by itself.
    if let Some(hold) = hold.and_then(|hold| hold.parse().ok()) {
        let given_back = store::settled(async || give_back(&database, &claims, hold).await).await;
        // Somebody has changed it meanwhile: then it is not offered any more.
        given_back.or_else(|refused| match refused.is_conflict() {
            true => Ok(()),
            false => Err(refused),
        })?;
    }
    Ok(response::no_content())
}

/// Drops entries whose time is long over.
pub async fn prune(database: &Database) -> Result<(), database::Error> {
    let limit = ParameterValue::Int32(ENTRIES_PER_STATEMENT_MAX);
    database.execute(sql::PRUNE, vec![limit]).await?;
    Ok(())
}

async fn give_back(
    database: &Database,
    claims: &Claims,
    hold: Uuid,
) -> Result<Option<()>, Problem> {
    let (held, actor) = store::seen(database, claims, hold).await?;
    match held.status {
        Status::Held => {
            let released = change::give_back(database, &held, &actor).await?;
            Ok(released.map(|_| ()))
        }
        Status::Confirmed | Status::Cancelled | Status::Rescheduled | Status::Expired => {
            Ok(Some(()))
        }
    }
}

async fn same(
    database: &Database,
    patient: Uuid,
    wish: &[ParameterValue],
) -> Result<Option<Row>, database::Error> {
    let mut parameters = vec![database::uuid(patient)];
    parameters.extend_from_slice(wish);
    database.row(sql::SAME, parameters).await
}

async fn kept(
    database: &Database,
    patient: Uuid,
    wish: &[ParameterValue],
) -> Result<(Row, StatusCode), Problem> {
    let mut parameters = vec![database::uuid(clock::new_id()), database::uuid(patient)];
    parameters.extend_from_slice(wish);
    parameters.push(ParameterValue::Int32(ENTRIES_PER_PATIENT_MAX));
    let added = store::retried(async || database.row(sql::ADD, parameters.clone()).await).await;
    let added: Result<_, Problem> =
        added.on_constraint(sql::PER_PATIENT, || Err(refusal::too_many_entries()));
    if let Some(row) = added? {
        return Ok((row, StatusCode::CREATED));
    }
    // Sent twice at the same moment; or there is no such practitioner.
    let row = same(database, patient, wish).await?;
    Ok((row.ok_or_else(Problem::not_found)?, StatusCode::OK))
}

fn patient(request: &Request) -> Result<Claims, Problem> {
    let claims = request.claims()?;
    claims.require(&[Role::Patient])?;
    Ok(claims)
}

impl Body {
    /// What both `sql::ADD` and `sql::SAME` take; 400 with all that is wrong.
    fn checked(&self, now: Timestamp) -> Result<Vec<ParameterValue>, Problem> {
        let mut errors = Vec::new();
        match (&self.practitioner_id, &self.search) {
            (Some(_), Some(_)) => {
                errors.push(FieldError::new(
                    "/search",
                    "does not go with practitioner_id",
                ));
            }
            (None, None) => {
                let detail = "is missing: say whom you wait for, here or with search";
                errors.push(FieldError::new("/practitioner_id", detail));
            }
            (Some(_), None) => {}
            (None, Some(area)) => errors.extend(area.around("/search").err().unwrap_or_default()),
        }
        let Some(to) = self.to else {
            errors.push(FieldError::new("/to", "is missing"));
            return Err(Problem::invalid(errors));
        };
        let window = Window::parse(self.from, Some(to), now, "");
        errors.extend(window.err().unwrap_or_default());
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let area = self.search.as_ref();
        Ok(vec![
            database::optional(self.practitioner_id, database::uuid),
            database::optional(area, |area| database::text(&area.specialty)),
            database::optional(area, |area| ParameterValue::Floating64(area.lat)),
            database::optional(area, |area| ParameterValue::Floating64(area.lon)),
            database::optional(area, |area| ParameterValue::Floating64(area.radius_km)),
            database::optional(self.from, database::seconds),
            database::seconds(to),
        ])
    }
}
