//! `/v1/ops/rebuilds/availability`: the bitmap made anew from the database, beside the one that answers.

use std::collections::BTreeMap;

use praxis_domain::audit::{self, Store};
use praxis_domain::terms;
use praxis_platform::cache::Cache;
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::rebuild::{
    Asked, Compared, Done, Generation, PAGE, Page, Pages, bad_cursor, conflict,
};
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use praxis_platform::snapshot::Snapshot;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::audit::lapsing;
use crate::bitmap::generations::{begin, hashes, load, remove, shown, state, sweep, switch};

/// 409 where the generations are not what the request takes them for; 503 while Redis or the database is
/// away.
pub async fn answer(request: &Request, rest: &[&str]) -> Result<Response, Problem> {
    let asked = Asked::read(request, rest)?;
    let cache = Cache::open().await?;
    let open = || Database::open_for(request.traceparent());
    let ok = StatusCode::OK;
    Ok(match asked {
        Asked::State => response::json(ok, &state(&cache).await?),
        Asked::Begin => {
            let generation = begin(&cache).await?;
            response::json(StatusCode::CREATED, &Generation { generation })
        }
        Asked::Pages => response::json(ok, &Pages::load(&open().await?).await?),
        Asked::Load(page) => {
            let range = range(&page)?;
            response::json(ok, &fill(&open().await?, &cache, &page, range).await?)
        }
        Asked::Compare(page) => {
            let range = range(&page)?;
            response::json(ok, &compare(&open().await?, &cache, &page, range).await?)
        }
        Asked::Switch(generation) => {
            switch(&cache, generation).await?;
            response::json(ok, &Generation { generation })
        }
        Asked::Remove(page) => {
            let range = range(&page)?;
            response::json(ok, &take_away(&open().await?, &cache, &page, range).await?)
        }
    })
}

/// Behind whom, and up to whom.
type Range = (Option<Uuid>, Option<Uuid>);

fn range(page: &Page) -> Result<Range, Problem> {
    let id = |text: &Option<String>, name| {
        let id = text.as_deref().map(Uuid::try_parse).transpose();
        id.map_err(|_| bad_cursor(name))
    };
    Ok((id(&page.after, "after")?, id(&page.until, "until")?))
}

/// A page of practitioners, as the database has them now. What events have brought meanwhile is newer, and
/// stays.
async fn fill(
    database: &Database,
    cache: &Cache,
    page: &Page,
    range: Range,
) -> Result<Done, Problem> {
    let dates = terms::dates_of_anybody(clock::now());
    let snapshots = Snapshot::load_range(database, range, PAGE, dates).await?;
    let each: Vec<_> = snapshots
        .iter()
        .map(|(id, snapshot)| (*id, snapshot))
        .collect();
    if !load(cache, page.generation, &each).await? {
        return Err(not_this_one(cache, page.generation, "being built").await?);
    }
    Ok(Done {
        done: each.len(),
        next_cursor: page.next(last(each.iter().map(|(id, _)| *id))),
    })
}

/// The hashes were read before what they are held against.
async fn compare(
    database: &Database,
    cache: &Cache,
    page: &Page,
    range: Range,
) -> Result<Compared, Problem> {
    if !state(cache).await?.has(page.generation) {
        return Err(not_this_one(cache, page.generation, "there").await?);
    }
    let ids = ids(database, range).await?;
    let mut held: BTreeMap<Uuid, _> = ids
        .iter()
        .copied()
        .zip(hashes(cache, page.generation, &ids).await?)
        .collect();
    let texts: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let mut lapsing = lapsing(database, &texts).await?;
    let dates = terms::dates_of_anybody(clock::now());
    let snapshots = Snapshot::load_range(database, range, PAGE, dates).await?;
    let mut compared = Compared::default();
    for (id, snapshot) in &snapshots {
        let Some(mut hash) = held.remove(id) else {
            // Made since.
            continue;
        };
        let text = id.to_string();
        let lapsed = lapsing.remove(&text).unwrap_or_default();
        let terms = snapshot.schedule.terms;
        let (first, last) = terms.dates_anywhere(clock::now());
        hash.days.retain(|(date, _)| (first..=last).contains(date));
        let verdict = audit::bitmap::compare(
            &hash,
            &audit::bitmap::Truth {
                version: snapshot.version,
                active: snapshot.active,
                zone: snapshot.zone().name(),
                terms,
                days: &snapshot.days(first, last),
                lapsed: &lapsed,
            },
        );
        compared.add(Store::Bitmap, &text, hash.version.is_some(), verdict);
    }
    compared.next_cursor = page.next(last(ids));
    Ok(compared)
}

/// First nobody writes there any more; then, page by page, what was written goes.
async fn take_away(
    database: &Database,
    cache: &Cache,
    page: &Page,
    range: Range,
) -> Result<Done, Problem> {
    if page.after.is_none() {
        remove(cache, page.generation).await?;
    }
    if state(cache).await?.has(page.generation) {
        return Err(not_this_one(cache, page.generation, "gone").await?);
    }
    let ids = ids(database, range).await?;
    sweep(cache, page.generation, &ids).await?;
    Ok(Done {
        done: ids.len(),
        next_cursor: page.next(last(ids)),
    })
}

async fn ids(database: &Database, (after, until): Range) -> Result<Vec<Uuid>, database::Error> {
    const BEHIND: &str = "
        select id::text as id
        from practitioners
        where id > $3::uuid
            and id <= $1::uuid
        order by id
        limit $2::int";
    const FIRST: &str = "
        select id::text as id
        from practitioners
        where id <= $1::uuid
        order by id
        limit $2::int";
    let limit = ParameterValue::Int32(i32::try_from(PAGE).unwrap_or(i32::MAX));
    let mut parameters = vec![database::uuid(until.unwrap_or(Uuid::max())), limit];
    let statement = match after {
        Some(after) => {
            parameters.push(database::uuid(after));
            BEHIND
        }
        None => FIRST,
    };
    let rows = database.rows(statement, parameters).await?;
    rows.iter().map(|row| row.parse("id")).collect()
}

/// Where a page ends that is full; none: there is no more.
fn last(ids: impl IntoIterator<Item = Uuid>) -> Option<String> {
    let ids: Vec<_> = ids.into_iter().collect();
    let is_full = ids.len() >= PAGE as usize;
    let last = ids.last().filter(|_| is_full);
    last.map(Uuid::to_string)
}

async fn not_this_one(cache: &Cache, generation: u64, wanted: &str) -> Result<Problem, Problem> {
    let there = shown(&state(cache).await?);
    Ok(conflict(format!(
        "generation {generation} is not {wanted}: {there}"
    )))
}
