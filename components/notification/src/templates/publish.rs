//! Who speaks from now on: `POST …/versions/{n}/publish`, `POST …/rollback`, `GET …/changes`.

use jiff::Timestamp;
use praxis_domain::template::sample::{self, Sample};
use praxis_domain::template::{Key, SHARE_MAX};
use praxis_platform::auth::Claims;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response::{self, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use spin_sdk::http::StatusCode;

use super::preview::public_url;
use super::renderer::{self, Input};
use super::state::{COLUMNS, State, key_parameters};
use super::versions;
use crate::tenants::Tenant;

const BODY_BYTES_MAX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    /// Of a hundred messages; a canary where it is less than all.
    #[serde(default = "everyone")]
    share: u8,
}

fn everyone() -> u8 {
    SHARE_MAX
}

/// Holds for the next event, on every host. What cannot say the samples is not published.
pub async fn publish(
    database: &Database,
    request: Request,
    claims: &Claims,
    tenant: &Tenant,
    key: &Key,
    version: i32,
) -> Result<Response, Problem> {
    let revision: i64 = request.if_match()?;
    let share = share(request).await?;
    let found = versions::found(database, &tenant.id, key, version).await?;
    let url = public_url().await?;
    for sample in Sample::ALL {
        let view = sample::view(sample, key, &tenant.brand(), &url);
        let input = Input::of(&view);
        renderer::render(&tenant.id, key, &found.to_render(), &input).await?;
    }
    let published = format!(
        "update templates set
            published = case when $8::int = {SHARE_MAX} then $6::int else published end,
            previous = case
                when $8::int = {SHARE_MAX} and published is distinct from $6::int then published
                else previous
            end,
            canary = case when $8::int < {SHARE_MAX} then $6::int end,
            canary_share = case when $8::int < {SHARE_MAX} then $8::int end,
            revision = revision + 1,
            changed_by = $9::text
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
            and revision = $7::bigint
        returning {COLUMNS}"
    );
    let mut parameters = key_parameters(&tenant.id, key);
    parameters.extend([
        ParameterValue::Int32(version),
        ParameterValue::Int64(revision),
        ParameterValue::Int32(share.into()),
        database::text(&claims.sub),
    ]);
    match database.row(&published, parameters).await? {
        Some(row) => Ok(State::read(&row)?.answer()),
        None => Err(conflict(database, tenant, key).await?),
    }
}

async fn share(request: Request) -> Result<u8, Problem> {
    let body = request.bytes(BODY_BYTES_MAX).await?;
    if body.trim_ascii().is_empty() {
        return Ok(SHARE_MAX);
    }
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("the body must be a JSON object"));
    }
    let Publish { share } = request::from_json(&body)?;
    match (1..=SHARE_MAX).contains(&share) {
        true => Ok(share),
        false => Err(Problem::field("/share", "must be from 1 to 100")),
    }
}

/// A canary ends; without one, what was published before speaks again, or the built-in words. Fenced
/// where the caller says what they have seen.
pub async fn roll_back(
    database: &Database,
    request: &Request,
    claims: &Claims,
    tenant: &Tenant,
    key: &Key,
) -> Result<Response, Problem> {
    let revision: Option<i64> = request.if_match_if_sent()?;
    let rolled_back = format!(
        "update templates set
            published = case when canary is null then previous else published end,
            previous = case when canary is null then null else previous end,
            canary = null,
            canary_share = null,
            revision = revision + 1,
            changed_by = $6::text
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
            and ($7::bigint is null or revision = $7::bigint)
            and (canary is not null or published is not null)
        returning {COLUMNS}"
    );
    let mut parameters = key_parameters(&tenant.id, key);
    parameters.extend([
        database::text(&claims.sub),
        database::optional(revision, ParameterValue::Int64),
    ]);
    if let Some(row) = database.row(&rolled_back, parameters).await? {
        return Ok(State::read(&row)?.answer());
    }
    let current = State::load(database, &tenant.id, key).await?;
    match current.filter(|state| state.canary.is_some() || state.published.is_some()) {
        Some(state) => Err(Problem::version_conflict(state.revision)),
        None => Err(nothing_published()),
    }
}

fn nothing_published() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/nothing-published",
        "Nothing is published",
        "the built-in words speak already",
    )
}

async fn conflict(database: &Database, tenant: &Tenant, key: &Key) -> Result<Problem, Problem> {
    let state = State::load(database, &tenant.id, key).await?;
    Ok(state.map_or_else(Problem::not_found, |state| {
        Problem::version_conflict(state.revision)
    }))
}

#[derive(Serialize)]
struct Change {
    revision: i64,
    published: Option<i32>,
    canary: Option<i32>,
    canary_share: Option<i32>,
    changed_by: String,
    changed_at: Timestamp,
}

/// `GET …/changes`: the newest first.
pub async fn changes(database: &Database, tenant: &str, key: &Key) -> Result<Response, Problem> {
    const CHANGES: &str = "
        select
            revision,
            published,
            canary,
            canary_share::int as canary_share,
            changed_by,
            extract(epoch from changed_at)::bigint as changed_at
        from template_changes
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
        order by revision desc
        limit 200";
    let rows = database.rows(CHANGES, key_parameters(tenant, key)).await?;
    let items = rows.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    Ok(response::json(StatusCode::OK, &json!({ "items": items })))
}

fn change(row: &Row) -> Result<Change, database::Error> {
    Ok(Change {
        revision: row.get("revision")?,
        published: row.get("published")?,
        canary: row.get("canary")?,
        canary_share: row.get("canary_share")?,
        changed_by: row.get("changed_by")?,
        changed_at: row.instant("changed_at")?,
    })
}
