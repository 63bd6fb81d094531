//! `/v1/ops/audits/availability`, and the slow pass: whether the bitmap and the next free slots say what
//! the tables say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::audit::{self, Store, Verdict};
use praxis_domain::calendar;
use praxis_domain::elsewhere;
use praxis_domain::mask::Mask;
use praxis_domain::terms;
use praxis_domain::zone::Zone;
use praxis_platform::audit::{
    Asked, Failed, Looked, Range, Report, next_page, note_behind, page_done,
};
use praxis_platform::cache::Cache;
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::events::{Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use praxis_platform::snapshot::Snapshot;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::{bitmap, next_slot};

/// Of `audit_passes`.
const COMPONENT: &str = "availability";

/// $1 behind whom, or null, $2 how many: practitioners and their next slots.
const PAGE: &str = "
select
    p.id::text as id,
    n.source_version,
    extract(epoch from n.next_available_slot)::bigint as next_slot,
    extract(epoch from n.closes_at)::bigint as closes_at,
    extract(epoch from n.updated_at)::bigint as updated_at
from practitioners p
left join next_slots n on n.practitioner_id = p.id
where $BEHIND
order by p.id
limit $2::int
";

/// $1 practitioners: the hours of their holds that have run out, or will while this looks at them, and
/// are not marked yet. Asked before the snapshots: a hold that is made since lasts longer.
const LAPSING: &str = "
select
    practitioner_id::text as id,
    local_date::text as local_date,
    bit_or(1 << local_hour) as mask
from bookings
where status = 'held'
    and hold_expires_at <= now() + interval '1 minute'
    and practitioner_id = any ($1::text[]::uuid[])
group by practitioner_id, local_date
";

/// As `LAPSING`: the holds of the same persons at other places, as seconds, and the zone of who is asked
/// about.
const LAPSING_ELSEWHERE: &str = "
select p.id::text as id, p.time_zone, extract(epoch from b.slot_start)::bigint as slot_start
from practitioners p
join bookings b on b.person_id = p.person_id
    and b.practitioner_id <> p.id
where p.id = any ($1::text[]::uuid[])
    and p.person_id is not null
    and b.status = 'held'
    and b.hold_expires_at <= now() + interval '1 minute'
";

pub type Hours = BTreeMap<Date, Mask>;

/// What a copy is healed with.
struct Truth {
    snapshot: Snapshot,
    /// What stood in the copy for its version.
    seen: Option<String>,
}

/// 503 while Redis or the database is away.
pub async fn answer(request: &Request) -> Result<Response, Problem> {
    let asked = Asked::read(request)?;
    let after = asked.after.as_deref().map(Uuid::try_parse).transpose();
    let after = after.map_err(|_| {
        let detail = "must be the next_cursor of an earlier answer";
        Problem::field("/query/after", detail)
    })?;
    let database = Database::open_for(request.traceparent()).await?;
    let report = page(&database, &asked, after).await?;
    Ok(response::json(StatusCode::OK, &report))
}

/// One page of the slow pass.
pub async fn tick(delivery: &Delivery) -> Result<(), Failure> {
    let database = Database::open_for(delivery.traceparent.as_deref()).await?;
    let Some(asked) = next_page(&database, COMPONENT).await? else {
        return Ok(());
    };
    // Ours are ids; what is none begins anew.
    let after = asked
        .after
        .as_deref()
        .and_then(|id| Uuid::try_parse(id).ok());
    let report = page(&database, &asked, after).await?;
    page_done(&database, COMPONENT, report.next_cursor.as_deref()).await?;
    Ok(())
}

async fn page(database: &Database, asked: &Asked, after: Option<Uuid>) -> Result<Report, Failed> {
    let limit = i32::try_from(asked.limit).unwrap_or(i32::MAX);
    let parameters = vec![
        database::optional(after, database::uuid),
        ParameterValue::Int32(limit),
    ];
    // Not both in one, with "or $1 is null": a plan for both is a walk from the first id on.
    let behind = match after {
        Some(_) => "p.id > $1::uuid",
        None => "$1::uuid is null",
    };
    let statement = PAGE.replace("$BEHIND", behind);
    let rows = database.rows(&statement, parameters).await?;
    let is_last = rows.len() < asked.limit as usize;
    let ids = rows.iter().map(|row| row.get::<String>("id"));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    let mut lapsing = lapsing(database, &ids).await?;
    let cache = Cache::open().await?;
    let mut looked = Vec::with_capacity(2 * rows.len());
    for (row, id) in rows.iter().zip(&ids) {
        let lapsed = lapsing.remove(id).unwrap_or_default();
        looked.extend(look(database, &cache, row, &lapsed).await?);
    }
    let range = Range {
        after: asked.after.as_deref(),
        to: ids.last().filter(|_| !is_last).map(String::as_str),
    };
    for store in [Store::Bitmap, Store::NextSlot] {
        note_behind(database, store, range, &mut looked).await?;
    }
    let mut report = Report::new(ids.last().filter(|_| !is_last).cloned());
    for one in looked {
        let healed = match &one.verdict {
            Verdict::Differs(_) if asked.heals => heal(database, &cache, &one).await?,
            Verdict::Differs(_) | Verdict::Same | Verdict::Behind(_) => false,
        };
        report.add(one.store, &one.id, one.verdict, healed);
    }
    report.tell();
    Ok(report)
}

pub async fn lapsing(
    database: &Database,
    ids: &[String],
) -> Result<BTreeMap<String, Hours>, database::Error> {
    let ids = ParameterValue::ArrayStr(ids.iter().cloned().map(Some).collect());
    let mut lapsing: BTreeMap<String, Hours> = BTreeMap::new();
    for row in database.rows(LAPSING, vec![ids.clone()]).await? {
        let mask = u32::try_from(row.get::<i32>("mask")?).ok();
        let mask = mask.and_then(Mask::from_bits).unwrap_or_default();
        let of = lapsing.entry(row.get("id")?).or_default();
        of.insert(row.parse("local_date")?, mask);
    }
    for row in database.rows(LAPSING_ELSEWHERE, vec![ids]).await? {
        let Ok(zone) = Zone::parse(&row.get::<String>("time_zone")?) else {
            continue;
        };
        let of = lapsing.entry(row.get("id")?).or_default();
        for slot in elsewhere::slots(row.instant("slot_start")?, &zone) {
            let mask = of.entry(slot.date()).or_default();
            *mask = mask.with(slot.hour());
        }
    }
    Ok(lapsing)
}

/// Both copies of one practitioner: the copies were read before what they are held against.
async fn look(
    database: &Database,
    cache: &Cache,
    row: &Row,
    lapsed: &Hours,
) -> Result<Vec<Looked<Truth>>, Failed> {
    let id: String = row.get("id")?;
    let practitioner: Uuid = row.parse("id")?;
    let now = clock::now();
    let (first, last) = terms::dates_of_anybody(now);
    let dates: Vec<Date> = calendar::dates(first, last).collect();
    let hash = bitmap::hash(cache, practitioner, &dates).await?;
    let Some(snapshot) = Snapshot::load(database, practitioner, first, last).await? else {
        return Ok(Vec::new());
    };
    let days = snapshot.days(first, last);
    let of_hash = audit::bitmap::compare(
        &hash,
        &audit::bitmap::Truth {
            version: snapshot.version,
            active: snapshot.active,
            zone: snapshot.zone().name(),
            terms: snapshot.schedule.terms,
            days: &days,
            lapsed,
        },
    );
    let next = next_row(row)?;
    let of_next = audit::next_slot::compare(
        next.as_ref(),
        &audit::next_slot::Truth {
            version: snapshot.version,
            active: snapshot.active,
            zone: snapshot.zone(),
            terms: snapshot.schedule.terms,
            days: &days,
            lapsed,
            now,
        },
    );
    let looked = |store, verdict, seen| Looked {
        id: id.clone(),
        store,
        verdict,
        with: Truth {
            snapshot: snapshot.clone(),
            seen,
        },
    };
    Ok(vec![
        looked(Store::Bitmap, of_hash, hash.version),
        looked(Store::NextSlot, of_next, None),
    ])
}

fn next_row(row: &Row) -> Result<Option<audit::next_slot::Row>, database::Error> {
    let Some(source_version) = row.get("source_version")? else {
        return Ok(None);
    };
    Ok(Some(audit::next_slot::Row {
        next: row.optional_instant("next_slot")?,
        closes_at: row.optional_instant("closes_at")?,
        source_version,
        updated_at: row
            .optional_instant("updated_at")?
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }))
}

/// False: it has changed since it was looked at, and the next look says whether it is right.
async fn heal(database: &Database, cache: &Cache, one: &Looked<Truth>) -> Result<bool, Failed> {
    let Ok(practitioner) = Uuid::try_parse(&one.id) else {
        return Ok(false);
    };
    let Truth { snapshot, seen } = &one.with;
    Ok(match one.store {
        Store::Bitmap => bitmap::heal(cache, practitioner, seen.as_deref(), snapshot).await?,
        Store::NextSlot => next_slot::heal(database, practitioner, snapshot, clock::now()).await?,
        // Not ours.
        Store::Document => false,
    })
}
