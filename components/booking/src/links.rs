//! `/v1/links/cancel/{token}`: whoever has the link cancels the appointment, once, without a sign-in.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::booking::{self, Status};
use praxis_domain::link::Deed;
use praxis_domain::slot;
use praxis_platform::clock;
use praxis_platform::database::{self, Database};
use praxis_platform::links;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::{Method, StatusCode};
use uuid::Uuid;

use crate::actor::Actor;
use crate::record::Booking;
use crate::{change, refusal, sql, store};

/// What a link tells of its appointment: what the mail says that it came with, and not who it is for.
#[derive(Serialize)]
struct View {
    practitioner_id: Uuid,
    slot_start: Timestamp,
    local_date: Date,
    local_time: String,
    time_zone: String,
    status: Status,
}

/// `GET` tells and changes nothing: mail programs look at links on their own.
pub async fn route(request: &Request, token: &str) -> Result<Response, Problem> {
    request.query(&[])?;
    let (id, version) = match links::deed(token).await? {
        Deed::Cancel {
            booking_id,
            version,
        } => (booking_id, version),
        Deed::OptOut { .. } => return Err(Problem::not_found()),
    };
    let database = Database::open_for(request.traceparent()).await?;
    let booking = match request.method() {
        Method::GET => unchanged(&database, id, version).await?,
        Method::POST => {
            let cancelled = async || {
                let booking = unchanged(&database, id, version).await?;
                let standing = booking.standing();
                booking::cancel(&standing, version, clock::now()).map_err(refusal::refused)?;
                let actor = Actor::link(booking.patient_id);
                change::give_back(&database, &booking, &actor).await
            };
            store::settled(cancelled).await?
        }
        _ => return Err(Problem::method_not_allowed("GET, POST")),
    };
    Ok(response::json(StatusCode::OK, &View::from(&booking)))
}

/// The booking that the link was made for: 410 once it was cancelled or changed in any other way.
async fn unchanged(database: &Database, id: Uuid, version: i32) -> Result<Booking, Problem> {
    let row = database.row(sql::BY_ID, vec![database::uuid(id)]).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let booking: Booking = row.json("booking")?;
    match booking.version == version {
        true => Ok(booking),
        false => Err(links::over(
            "the appointment was cancelled or changed already",
        )),
    }
}

impl From<&Booking> for View {
    fn from(booking: &Booking) -> Self {
        Self {
            practitioner_id: booking.practitioner_id,
            slot_start: booking.slot_start,
            local_date: booking.local_date,
            local_time: slot::local_time(booking.local_hour),
            time_zone: booking.time_zone.clone(),
            status: booking.status,
        }
    }
}
