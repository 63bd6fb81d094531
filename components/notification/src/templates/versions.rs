//! What authors wrote: `…/versions` and `…/versions/{n}`. A version never changes.

use jiff::Timestamp;
use praxis_domain::template::{
    COMPONENT_BYTES_MAX, Key, Kind, SOURCE_BYTES_MAX, TEMPLATES_MAX, VERSIONS_MAX,
    VERSIONS_PER_PAGE_MAX, digest,
};
use praxis_platform::auth::Claims;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::{Query, Request};
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;

use super::renderer::{self, Source};
use super::state::key_parameters;

const JINJA: &str = "text/x-jinja";
const WASM: &str = "application/wasm";

pub struct Version {
    pub about: About,
    /// Of Jinja, as it was written.
    pub source: Option<String>,
    compiled: Option<String>,
}

#[derive(Serialize)]
pub struct About {
    pub version: i32,
    pub kind: Kind,
    /// SHA-256 of the source or the component.
    pub digest: String,
    bytes: i32,
    /// The `sub` of the token.
    author: String,
    created_at: Timestamp,
}

impl Version {
    pub fn to_render(&self) -> Source {
        Source::of(
            self.about.kind,
            self.compiled.clone(),
            self.about.digest.clone(),
        )
    }
}

impl About {
    fn read(row: &Row) -> Result<Self, database::Error> {
        Ok(Self {
            version: row.get("version")?,
            kind: row.parse("kind")?,
            digest: row.get("digest")?,
            bytes: row.get("bytes")?,
            author: row.get("author")?,
            created_at: row.instant("created_at")?,
        })
    }
}

pub async fn load(
    database: &Database,
    tenant: &str,
    key: &Key,
    version: i32,
) -> Result<Option<Version>, database::Error> {
    const LOAD: &str = "
        select
            version,
            kind,
            digest,
            bytes,
            author,
            extract(epoch from created_at)::bigint as created_at,
            source,
            compiled
        from template_versions
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
            and version = $6::int";
    let mut parameters = key_parameters(tenant, key);
    parameters.push(ParameterValue::Int32(version));
    let row = database.row(LOAD, parameters).await?;
    let read = |row: Row| {
        Ok(Version {
            about: About::read(&row)?,
            source: row.get("source")?,
            compiled: row.get("compiled")?,
        })
    };
    row.map(read).transpose()
}

/// As `load`; 404 where it is not there.
pub async fn found(
    database: &Database,
    tenant: &str,
    key: &Key,
    version: i32,
) -> Result<Version, Problem> {
    load(database, tenant, key, version)
        .await?
        .ok_or_else(Problem::not_found)
}

/// `GET …/versions/{n}`
pub async fn get(
    database: &Database,
    tenant: &str,
    key: &Key,
    version: i32,
) -> Result<Response, Problem> {
    let version = found(database, tenant, key, version).await?;
    let body = json!({ "version": version.about, "source": version.source });
    Ok(response::json(StatusCode::OK, &body))
}

/// `GET …/versions`: the newest first, page by page.
pub async fn list(
    database: &Database,
    tenant: &str,
    key: &Key,
    query: &Query,
) -> Result<Response, Problem> {
    const LIST: &str = "
        select
            version,
            kind,
            digest,
            bytes,
            author,
            extract(epoch from created_at)::bigint as created_at
        from template_versions
        where tenant_id = $1::text
            and event = $2::text
            and audience = $3::text
            and channel = $4::text
            and locale = $5::text
            and version < $6::int
        order by version desc
        limit $7::bigint";
    let below: Option<i32> = query.optional("cursor", "the next_cursor of the page before")?;
    let mut parameters = key_parameters(tenant, key);
    parameters.extend([
        ParameterValue::Int32(below.unwrap_or(i32::MAX)),
        ParameterValue::Int64(VERSIONS_PER_PAGE_MAX),
    ]);
    let rows = database.rows(LIST, parameters).await?;
    let items = rows
        .iter()
        .map(About::read)
        .collect::<Result<Vec<_>, _>>()?;
    let next_cursor = items
        .last()
        .map(|oldest| oldest.version)
        .filter(|oldest| *oldest > 1)
        .map(|oldest| oldest.to_string());
    let body = json!({ "items": items, "next_cursor": next_cursor });
    Ok(response::json(StatusCode::OK, &body))
}

/// `POST …/versions`: a draft. It is checked before it is kept: what does not compile has no number.
pub async fn create(
    database: &Database,
    request: Request,
    claims: &Claims,
    tenant: &str,
    key: &Key,
) -> Result<Response, Problem> {
    let draft = match media_type(&request).as_deref() {
        Some(JINJA) => jinja(key, request.bytes(SOURCE_BYTES_MAX).await?).await?,
        Some(WASM) => component(tenant, request.bytes(COMPONENT_BYTES_MAX).await?).await?,
        _ => return Err(unsupported()),
    };
    let about = insert(database, claims, tenant, key, draft).await?;
    let place = format!(
        "/v1/tenants/{tenant}/templates/{}/{}/{}/versions/{}?audience={}",
        key.occasion.name(),
        key.channel.name(),
        key.locale,
        about.version,
        key.audience.name()
    );
    let answer = response::json(StatusCode::CREATED, &about);
    Ok(response::with(answer, "location", &place))
}

struct Draft {
    kind: Kind,
    source: Option<String>,
    compiled: Option<String>,
    digest: String,
    bytes: usize,
}

async fn jinja(key: &Key, bytes: Vec<u8>) -> Result<Draft, Problem> {
    let source = String::from_utf8(bytes)
        .ok()
        // The database keeps none.
        .filter(|source| !source.contains('\0'))
        .ok_or_else(|| Problem::bad_request("the source must be UTF-8, without NUL"))?;
    let compiled = renderer::compile(key.channel, source.clone()).await?;
    Ok(Draft {
        kind: Kind::Jinja,
        digest: digest(source.as_bytes()),
        bytes: source.len(),
        source: Some(source),
        compiled: Some(compiled),
    })
}

async fn component(tenant: &str, bytes: Vec<u8>) -> Result<Draft, Problem> {
    let size = bytes.len();
    Ok(Draft {
        kind: Kind::Component,
        digest: renderer::keep(tenant, bytes).await?,
        bytes: size,
        source: None,
        compiled: None,
    })
}

/// Numbered under the lock of the template's row: of two at once, each has a number of its own.
async fn insert(
    database: &Database,
    claims: &Claims,
    tenant: &str,
    key: &Key,
    draft: Draft,
) -> Result<About, Problem> {
    const INSERT: &str = "
        with numbered as (
            insert into templates as held (tenant_id, event, audience, channel, locale)
            select $1::text, $2::text, $3::text, $4::text, $5::text
            where (select count(*) from templates where tenant_id = $1::text) < $12::bigint
                or exists (
                    select
                    from templates
                    where tenant_id = $1::text
                        and event = $2::text
                        and audience = $3::text
                        and channel = $4::text
                        and locale = $5::text
                )
            on conflict (tenant_id, event, audience, channel, locale)
                do update set versions = held.versions + 1
                where held.versions < $13::int
            returning versions
        )
        insert into template_versions (
            tenant_id, event, audience, channel, locale, version, kind, source, compiled, digest,
            bytes, author
        )
        select
            $1::text, $2::text, $3::text, $4::text, $5::text, versions, $6::text, $7::text,
            $8::text, $9::text, $10::int, $11::text
        from numbered
        returning
            version,
            kind,
            digest,
            bytes,
            author,
            extract(epoch from created_at)::bigint as created_at";
    let bytes = i32::try_from(draft.bytes).expect("limits are far below");
    let mut parameters = key_parameters(tenant, key);
    parameters.extend([
        database::text(draft.kind.name()),
        database::optional(draft.source, database::text),
        database::optional(draft.compiled, database::text),
        database::text(draft.digest),
        ParameterValue::Int32(bytes),
        database::text(&claims.sub),
        ParameterValue::Int64(TEMPLATES_MAX),
        ParameterValue::Int32(VERSIONS_MAX),
    ]);
    let row = database.row(INSERT, parameters).await?;
    Ok(About::read(&row.ok_or_else(too_many)?)?)
}

fn media_type(request: &Request) -> Option<String> {
    let header = request.headers().get("content-type")?.to_str().ok()?;
    let media = header.split(';').next().unwrap_or_default();
    Some(media.trim().to_ascii_lowercase())
}

fn unsupported() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "/problems/unsupported-media-type",
        "This is no template",
        format!("a template is {JINJA} or {WASM}"),
    )
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/too-many-templates",
        "There are too many templates",
        format!("a tenant has {TEMPLATES_MAX} templates at most, and each {VERSIONS_MAX} versions"),
    )
}
