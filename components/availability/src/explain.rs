//! `GET /v1/practitioners/{id}/availability/explain`: why a slot is not offered, for those who are
//! asked on the phone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use praxis_domain::calendar::NamedStart;
use praxis_domain::explain::{Explanation, Holder, explain};
use praxis_domain::zone::Zone;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use praxis_platform::snapshot::Snapshot;
use serde::Serialize;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

/// $1 practitioner, $2 the slot's start (seconds): who has it. `idx_no_double_book` lets one at most.
const HOLDER: &str = "
select b.id::text as booking_id, to_jsonb(b.hold_expires_at) as held_until
from bookings b
where b.practitioner_id = $1::uuid
    and b.slot_start = to_timestamp($2::bigint)
    and b.status in ('held', 'confirmed')
";

/// As `HOLDER`: which booking of the person's at another place takes it, the first of two.
const ELSEWHERE: &str = "
select b.id::text as booking_id, to_jsonb(b.hold_expires_at) as held_until
from bookings b
where b.person_id = (select person_id from practitioners where id = $1::uuid)
    and b.practitioner_id <> $1::uuid
    and b.status in ('held', 'confirmed')
    and slot_hour(b.slot_start) && slot_hour(to_timestamp($2::bigint))
    and (b.status = 'confirmed' or b.hold_expires_at > now())
order by b.slot_start
limit 1
";

#[derive(Serialize)]
struct Explained<'a> {
    practitioner_id: Uuid,
    slot_start: Timestamp,
    time_zone: &'a str,
    local_date: Date,
    /// Of a slot that is none too: `09:30`.
    local_time: String,
    offered: bool,
    reason: &'static str,
    detail: String,
    booking_id: Option<Uuid>,
    held_until: Option<Timestamp>,
}

/// For staff of the practitioner's tenant, and for operators: all others get 404, as of a
/// practitioner that is not there. From the database, never from the bitmap.
pub async fn get(request: &Request, practitioner: Uuid) -> Result<Response, Problem> {
    let claims = request.claims()?;
    let query = request.query(&["slot_start"])?;
    let NamedStart(start) = query.required("slot_start", "an instant: 2026-11-23T09:00:00Z")?;
    let now = clock::now();
    let database = Database::open().await?;
    // The zone is not known yet; it is a day away from UTC at most.
    let date = Zone::utc().date(start);
    let (from, to) = (date.saturating_sub(1.day()), date.saturating_add(1.day()));
    let snapshot = Snapshot::load(&database, practitioner, from, to)
        .await?
        .filter(|snapshot| may_ask(&claims, snapshot))
        .ok_or_else(Problem::not_found)?;
    let holder = match holder(&database, practitioner, start).await? {
        None if snapshot.person.is_some() => elsewhere(&database, practitioner, start).await?,
        own => own,
    };
    let why = explain(start, &snapshot.schedule, snapshot.active, holder, now);
    let (booking_id, held_until) = match why {
        Explanation::Booked(id) => (Some(id), None),
        Explanation::Held { id, until } => (Some(id), Some(until)),
        Explanation::BookedElsewhere { id, until } => (Some(id), until),
        Explanation::Free | Explanation::NotOffered(_) | Explanation::Closed(_) => (None, None),
    };
    let local = snapshot.zone().local(start);
    let explained = Explained {
        practitioner_id: practitioner,
        slot_start: start,
        time_zone: snapshot.zone().name(),
        local_date: local.date(),
        local_time: format!("{:02}:{:02}", local.hour(), local.minute()),
        offered: why == Explanation::Free,
        reason: why.reason(),
        detail: why.detail(),
        booking_id,
        held_until,
    };
    Ok(response::json(StatusCode::OK, &explained))
}

fn may_ask(claims: &Claims, snapshot: &Snapshot) -> bool {
    claims.is(Role::Operator) || claims.staff_of() == Some(snapshot.tenant_id.as_str())
}

async fn holder(
    database: &Database,
    practitioner: Uuid,
    start: Timestamp,
) -> Result<Option<Holder>, database::Error> {
    let parameters = vec![database::uuid(practitioner), database::seconds(start)];
    let Some(row) = database.row(HOLDER, parameters).await? else {
        return Ok(None);
    };
    let id = row.parse("booking_id")?;
    Ok(Some(match row.optional_json("held_until")? {
        Some(until) => Holder::Hold { id, until },
        None => Holder::Booking(id),
    }))
}

async fn elsewhere(
    database: &Database,
    practitioner: Uuid,
    start: Timestamp,
) -> Result<Option<Holder>, database::Error> {
    let parameters = vec![database::uuid(practitioner), database::seconds(start)];
    let Some(row) = database.row(ELSEWHERE, parameters).await? else {
        return Ok(None);
    };
    Ok(Some(Holder::Elsewhere {
        id: row.parse("booking_id")?,
        until: row.optional_json("held_until")?,
    }))
}
