//! Bookings that have no place in their practitioner's time any more: it was changed after they were
//! made. They stand until somebody cancels or moves them; here is told which they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::booking::Status;
use praxis_domain::calendar::NamedInstant;
use praxis_domain::explain::{self, Taken};
use praxis_domain::slot;
use praxis_domain::zone::Zone;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response::{self, Response};
use praxis_platform::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

/// How many one answer lists.
const LISTED_MAX: usize = 100;

/// $1 practitioner, $2 now (seconds): what is to come, by its start. `idx_no_double_book` lets one have
/// a slot, so they are no more than the hours of the horizon.
const TO_COME: &str = "
select jsonb_build_object(
    'booking_id', b.id,
    'version', b.version,
    'status', b.status,
    'slot_start', b.slot_start,
    'local_date', b.local_date,
    'local_hour', b.local_hour
) as booking
from bookings b
where b.practitioner_id = $1::uuid
    and b.slot_start > to_timestamp($2::bigint)
    and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
order by b.slot_start";

/// $1 practitioners, $2 now (seconds): which of them have anything to come.
const HAVE_ANY: &str = "
select p.id::text as practitioner_id
from unnest($1::text[]::uuid[]) as p (id)
where exists (
    select
    from bookings b
    where b.practitioner_id = p.id
        and b.slot_start > to_timestamp($2::bigint)
        and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
)";

/// All of one practitioner, by their start.
pub struct Stranded(Vec<Told>);

/// Some of them, and how many there are.
#[derive(Serialize)]
pub struct Page<'a> {
    total: usize,
    items: &'a [Told],
    /// For the next page; none on the last one.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Told {
    booking_id: Uuid,
    version: i32,
    status: Status,
    slot_start: Timestamp,
    local_date: Date,
    local_time: String,
    /// What closes its hour, as `explain` has it.
    reason: &'static str,
}

#[derive(Deserialize)]
struct ToCome {
    booking_id: Uuid,
    version: i32,
    status: Status,
    slot_start: Timestamp,
    local_date: Date,
    local_hour: u8,
}

/// `GET /v1/practitioners/{id}/stranded-bookings`: for staff of the practitioner's tenant, and for
/// operators. All others get 404, as of a practitioner that is not there.
pub async fn get(request: &Request, id: &str) -> Result<Response, Problem> {
    let practitioner = request::id(id)?;
    let claims = request.claims()?;
    let query = request.query(&["cursor"])?;
    let after: Option<NamedInstant> = query.optional("cursor", "a next_cursor of this list")?;
    let database = Database::open().await?;
    let (stranded, snapshot) = load(&database, practitioner).await?;
    if !may_ask(&claims, &snapshot) {
        return Err(Problem::not_found());
    }
    let page = stranded.page(after.map(|NamedInstant(instant)| instant));
    Ok(response::json(StatusCode::OK, &page))
}

/// Those of a practitioner at this moment: after a change, none comes to them any more, since the
/// statement that books asks for the practitioner as they are then.
pub async fn of(database: &Database, practitioner: Uuid) -> Result<Stranded, Problem> {
    let (stranded, _) = load(database, practitioner).await?;
    Ok(stranded)
}

/// How many of each practitioner are stranded, where any are.
pub async fn totals(
    database: &Database,
    practitioners: &[Uuid],
) -> Result<BTreeMap<Uuid, usize>, database::Error> {
    let ids = practitioners.iter().map(|id| Some(id.to_string()));
    let ids: Vec<_> = ids.collect();
    let mut totals = BTreeMap::new();
    if ids.is_empty() {
        return Ok(totals);
    }
    let parameters = vec![
        ParameterValue::ArrayStr(ids),
        database::seconds(clock::now()),
    ];
    for row in database.rows(HAVE_ANY, parameters).await? {
        let practitioner = row.parse("practitioner_id")?;
        if let Some((Stranded(all), _)) = look(database, practitioner).await?
            && !all.is_empty()
        {
            totals.insert(practitioner, all.len());
        }
    }
    Ok(totals)
}

impl Stranded {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of them, or of those that begin after an instant.
    pub fn page(&self, after: Option<Timestamp>) -> Page<'_> {
        let Self(all) = self;
        let seen = |told: &Told| after.is_some_and(|after| told.slot_start <= after);
        let left = &all[all.partition_point(seen)..];
        let items = &left[..left.len().min(LISTED_MAX)];
        let last = items.last().filter(|_| left.len() > items.len());
        Page {
            total: all.len(),
            items,
            next_cursor: last.map(|last| last.slot_start.as_second().to_string()),
        }
    }
}

fn may_ask(claims: &Claims, snapshot: &Snapshot) -> bool {
    claims.is(Role::Operator) || claims.staff_of() == Some(snapshot.tenant_id.as_str())
}

/// 404 where there is no such practitioner.
async fn load(database: &Database, practitioner: Uuid) -> Result<(Stranded, Snapshot), Problem> {
    let found = look(database, practitioner).await?;
    found.ok_or_else(Problem::not_found)
}

async fn look(
    database: &Database,
    practitioner: Uuid,
) -> Result<Option<(Stranded, Snapshot)>, database::Error> {
    let now = clock::now();
    let parameters = vec![database::uuid(practitioner), database::seconds(now)];
    let rows = database.rows(TO_COME, parameters).await?;
    let to_come = rows.iter().map(|row: &Row| row.json("booking"));
    let to_come = to_come.collect::<Result<Vec<ToCome>, _>>()?;
    // After them: what is told follows from the latest schedule. It is needed for their dates only.
    let dates = || to_come.iter().map(|booking| booking.local_date);
    let today = Zone::utc().date(now);
    let (from, to) = (
        dates().min().unwrap_or(today),
        dates().max().unwrap_or(today),
    );
    let Some(snapshot) = Snapshot::load(database, practitioner, from, to).await? else {
        return Ok(None);
    };
    let stranded = to_come.into_iter().filter_map(|booking| {
        let taken = Taken {
            start: booking.slot_start,
            date: booking.local_date,
            hour: booking.local_hour,
        };
        let why = explain::stranded(&taken, &snapshot.schedule, snapshot.active)?;
        Some(booking.told(why.reason()))
    });
    let stranded = Stranded(stranded.collect());
    Ok(Some((stranded, snapshot)))
}

impl ToCome {
    fn told(self, reason: &'static str) -> Told {
        Told {
            booking_id: self.booking_id,
            version: self.version,
            status: self.status,
            slot_start: self.slot_start,
            local_date: self.local_date,
            local_time: slot::local_time(self.local_hour),
            reason,
        }
    }
}
