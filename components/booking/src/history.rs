//! `GET /v1/bookings/{id}/history`: what became of a booking, for the tenant's staff.

use jiff::Timestamp;
use praxis_platform::auth::Role;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::sql;

/// The last changes, if there are more. A booking has a handful, and a hold's heartbeats are bounded.
const CHANGES_MAX: i32 = 200;

#[derive(Serialize)]
struct History {
    booking_id: Uuid,
    /// In the order in which they were made.
    changes: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    version: i32,
    from_version: Option<i32>,
    change: String,
    status: String,
    slot_start: Timestamp,
    actor: Who,
    at: Timestamp,
}

#[derive(Serialize)]
struct Who {
    role: String,
    id: String,
}

pub async fn get(request: &Request, booking: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    claims.require(&[Role::Staff])?;
    let tenant = claims.staff_of().ok_or_else(Problem::not_found)?;
    let parameters = vec![
        database::uuid(booking),
        database::text(tenant),
        ParameterValue::Int32(CHANGES_MAX),
    ];
    let database = Database::open().await?;
    let rows = database.rows(sql::HISTORY, parameters).await?;
    // Each booking has been made once.
    if rows.is_empty() {
        return Err(Problem::not_found());
    }
    let changes: Result<Vec<Entry>, _> = rows.iter().rev().map(entry).collect();
    let history = History {
        booking_id: booking,
        changes: changes?,
    };
    Ok(response::json(StatusCode::OK, &history))
}

fn entry(row: &Row) -> Result<Entry, database::Error> {
    Ok(Entry {
        version: row.get("version")?,
        from_version: row.get("from_version")?,
        change: row.get("change")?,
        status: row.get("status")?,
        slot_start: row.instant("slot_start")?,
        actor: Who {
            role: row.get("actor_role")?,
            id: row.get("actor")?,
        },
        at: row.json("at")?,
    })
}
