//! Where a version failed and another spoke: on record, for the tenant's staff.

use jiff::Timestamp;
use praxis_domain::template::{FAILURE_BYTES_MAX, FAILURES_KEPT_DAYS, FAILURES_KEPT_MAX, Key};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;

use super::state::key_parameters;

#[derive(Serialize)]
struct Item {
    version: i32,
    event_id: String,
    detail: String,
    at: Timestamp,
}

/// What a component said of its failure may name somebody: it is forgotten, some at a time.
pub async fn prune(database: &Database) -> Result<(), database::Error> {
    const PRUNED_MAX: i32 = 1_000;
    const PRUNE: &str = "
        delete from template_failures
        where ctid = any (array(
            select ctid
            from template_failures
            where at < now() - make_interval(days => $1::int)
            limit $2::int
        ))";
    let parameters = vec![
        ParameterValue::Int32(FAILURES_KEPT_DAYS),
        ParameterValue::Int32(PRUNED_MAX),
    ];
    database.execute(PRUNE, parameters).await.map(drop)
}

/// The same failure again is the same record.
pub async fn record(
    database: &Database,
    tenant: &str,
    key: &Key,
    version: i32,
    event_id: &str,
    detail: &str,
) -> Result<(), database::Error> {
    const RECORD: &str = "
        with dropped as (
            delete from template_failures
            where (tenant_id, event, audience, channel, locale, version)
                    = ($1::text, $2::text, $3::text, $4::text, $5::text, $6::int)
                and event_id in (
                    select event_id
                    from template_failures
                    where (tenant_id, event, audience, channel, locale, version)
                        = ($1::text, $2::text, $3::text, $4::text, $5::text, $6::int)
                        and event_id <> $7::text
                    order by at desc
                    offset $9::bigint - 1
                )
        )
        insert into template_failures
            (tenant_id, event, audience, channel, locale, version, event_id, detail)
        values
            ($1::text, $2::text, $3::text, $4::text, $5::text, $6::int, $7::text, $8::text)
        on conflict do nothing";
    let end = detail.floor_char_boundary(FAILURE_BYTES_MAX);
    let mut parameters = key_parameters(tenant, key);
    parameters.extend([
        ParameterValue::Int32(version),
        database::text(event_id),
        // The database keeps no NUL, which a component may have said.
        database::text(detail[..end].replace('\0', "")),
        ParameterValue::Int64(FAILURES_KEPT_MAX),
    ]);
    database.execute(RECORD, parameters).await.map(|_| ())
}

/// `GET …/failures`: the newest first, of all versions.
pub async fn list(database: &Database, tenant: &str, key: &Key) -> Result<Response, Problem> {
    const LIST: &str = "
        select version, event_id, detail, extract(epoch from at)::bigint as at
        from template_failures
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
        order by template_failures.at desc, event_id
        limit 200";
    let rows = database.rows(LIST, key_parameters(tenant, key)).await?;
    let items = rows.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    Ok(response::json(StatusCode::OK, &json!({ "items": items })))
}

fn item(row: &Row) -> Result<Item, database::Error> {
    Ok(Item {
        version: row.get("version")?,
        event_id: row.get("event_id")?,
        detail: row.get("detail")?,
        at: row.instant("at")?,
    })
}
