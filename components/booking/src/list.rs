//! `GET /v1/bookings` and `GET /v1/bookings/{id}`.

use jiff::Timestamp;
use praxis_domain::booking::Status;
use praxis_domain::calendar::{NamedDate, NamedInstant};
use praxis_platform::auth::Role;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::{Query, Request};
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::book::BOOKERS;
use crate::record::{Booking, View};
use crate::{caller, sql, store};

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

/// By time. Staff see their tenant's, a practitioner their calendar, a patient their own; who is
/// several of these sees them all.
pub async fn list(request: &Request) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&BOOKERS)?;
    let query = request.query(&["from", "to", "status", "cursor"])?;
    if claims.is(Role::Staff) && claims.staff_of().is_none() {
        return Err(Problem::forbidden("the token names no tenant"));
    }
    let mut parameters = filter(&query)?.to_vec();
    // One more, to know whether there is another page.
    parameters.push(ParameterValue::Int32(BOOKINGS_PER_PAGE as i32 + 1));
    parameters.extend(caller::sees(&claims));
    let database = Database::open().await?;
    let rows = database.rows(&sql::list(), parameters).await?;
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

/// The first five parameters of `sql::list`.
fn filter(query: &Query) -> Result<[ParameterValue; 5], Problem> {
    let from: Option<NamedDate> = query.optional("from", "a date: 2026-11-23")?;
    let to: Option<NamedDate> = query.optional("to", "a date: 2026-11-23")?;
    let status = query.get("status").map(|name| {
        Status::parse(name).ok_or_else(|| {
            let expected = "must be held, confirmed, cancelled, rescheduled or expired";
            Problem::field("/query/status", expected)
        })
    });
    let status = status.transpose()?;
    let cursor: Option<Cursor> = query.optional("cursor", "the next_cursor of a page")?;
    Ok([
        database::optional(from, |from| database::date(from.0)),
        database::optional(to, |to| database::date(to.0)),
        database::optional(status, |status| database::text(status.name())),
        database::optional(cursor.as_ref(), |last| database::seconds(last.slot_start)),
        database::optional(cursor.as_ref(), |last| database::uuid(last.id)),
    ])
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seconds, id) = text.split_once('.').ok_or(())?;
        let NamedInstant(slot_start) = seconds.parse().map_err(|_| ())?;
        Ok(Self {
            slot_start,
            id: id.parse().map_err(|_| ())?,
        })
    }
}
