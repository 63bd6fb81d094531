//! `GET /v1/bookings` and `GET /v1/bookings/{id}`.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::booking::Status;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::{Query, Request};
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::book::BOOKERS;
use crate::record::{Booking, View};
use crate::{sql, store};

const BOOKINGS_PER_PAGE: usize = 50;

#[derive(Serialize)]
struct Page {
    items: Vec<View>,
    next_cursor: Option<String>,
}

/// The last booking of a page: `1796112000.018f…`.
struct Cursor {
    slot_start: Timestamp,
    id: Uuid,
}

pub async fn get(request: &Request, id: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let database = Database::open().await?;
    let booking = store::visible(&database, &claims, id).await?;
    let answer = response::json(StatusCode::OK, &View::from(&booking));
    let etag = response::etag(booking.version.into());
    Ok(response::with(answer, "etag", &etag))
}

/// By time. Staff see their tenant's, a practitioner their calendar, a patient their own.
pub async fn list(request: &Request) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let query = request.query(&["from", "to", "status", "cursor"])?;
    let (whose, who) = scope(&claims)?;
    let mut parameters = vec![database::text(who)];
    parameters.extend(filter(&query)?);
    // One more, to know whether there is another page.
    parameters.push(ParameterValue::Int32(BOOKINGS_PER_PAGE as i32 + 1));
    let database = Database::open().await?;
    let statement = sql::LIST.replace("{whose}", whose);
    let rows = database.rows(&statement, parameters).await?;
    let bookings: Result<Vec<Booking>, _> = rows.iter().map(|row| row.json("booking")).collect();
    Ok(response::json(StatusCode::OK, &page(&bookings?)))
}

fn page(bookings: &[Booking]) -> Page {
    let shown = &bookings[..bookings.len().min(BOOKINGS_PER_PAGE)];
    let next_cursor = match shown.last() {
        Some(last) if bookings.len() > BOOKINGS_PER_PAGE => {
            Some(format!("{}.{}", last.slot_start.as_second(), last.id))
        }
        _ => None,
    };
    Page {
        items: shown.iter().map(View::from).collect(),
        next_cursor,
    }
}

/// Where the caller's bookings are found, and by what.
fn scope(claims: &Claims) -> Result<(&'static str, &str), Problem> {
    if claims.is(Role::Staff) {
        let tenant = claims.staff_of();
        let tenant = tenant.ok_or_else(|| Problem::forbidden("the token names no tenant"))?;
        return Ok((sql::OF_TENANT, tenant));
    }
    let whose = if claims.is(Role::Practitioner) {
        sql::OF_PRACTITIONER
    } else {
        sql::OF_PATIENT
    };
    Ok((whose, &claims.sub))
}

/// The parameters $2 to $6 of `sql::LIST`.
fn filter(query: &Query) -> Result<[ParameterValue; 5], Problem> {
    let from: Option<Date> = query.optional("from", "a date: 2026-11-23")?;
    let to: Option<Date> = query.optional("to", "a date: 2026-11-23")?;
    let status = query.get("status").map(|name| {
        Status::parse(name).ok_or_else(|| {
            let expected = "must be held, confirmed, cancelled, rescheduled or expired";
            Problem::field("/query/status", expected)
        })
    });
    let status = status.transpose()?;
    let cursor: Option<Cursor> = query.optional("cursor", "the next_cursor of a page")?;
    Ok([
        database::optional(from, database::date),
        database::optional(to, database::date),
        database::optional(status, |status| database::text(status.name())),
        database::optional(cursor.as_ref(), |last| database::seconds(last.slot_start)),
        database::optional(cursor.as_ref(), |last| database::uuid(last.id)),
    ])
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seconds, id) = text.split_once('.').ok_or(())?;
        let seconds = seconds.parse().map_err(|_| ())?;
        Ok(Self {
            slot_start: Timestamp::from_second(seconds).map_err(|_| ())?,
            id: id.parse().map_err(|_| ())?,
        })
    }
}
