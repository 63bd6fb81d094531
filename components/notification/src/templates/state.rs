//! Which version of a template speaks: `GET …/templates` and `GET …/templates/{event}/…`.

use jiff::Timestamp;
use praxis_domain::notice::{Audience, Occasion};
use praxis_domain::patient::Channel;
use praxis_domain::template::{Key, TEMPLATES_MAX, builtin};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::{Value, json};
use spin_sdk::http::StatusCode;

use super::versions::{self, Version};

/// A row of `templates`.
#[derive(Serialize)]
pub struct State {
    event: String,
    audience: String,
    channel: String,
    locale: String,
    /// None: the built-in words.
    pub published: Option<i32>,
    pub canary: Option<Canary>,
    /// Where a rollback goes.
    pub previous: Option<i32>,
    /// The number of the newest.
    versions: i32,
    /// `ETag` and `If-Match`.
    pub revision: i64,
    changed_by: Option<String>,
    changed_at: Timestamp,
}

#[derive(Serialize)]
pub struct Canary {
    version: i32,
    /// Of a hundred messages.
    share: i32,
}

/// The columns of a `State`.
pub const COLUMNS: &str = "
    event,
    audience,
    channel,
    locale,
    published,
    canary,
    canary_share::int as canary_share,
    previous,
    versions,
    revision,
    changed_by,
    extract(epoch from changed_at)::bigint as changed_at";

impl State {
    pub fn read(row: &Row) -> Result<Self, database::Error> {
        let canary: Option<i32> = row.get("canary")?;
        let share: Option<i32> = row.get("canary_share")?;
        Ok(Self {
            event: row.get("event")?,
            audience: row.get("audience")?,
            channel: row.get("channel")?,
            locale: row.get("locale")?,
            published: row.get("published")?,
            canary: canary
                .zip(share)
                .map(|(version, share)| Canary { version, share }),
            previous: row.get("previous")?,
            versions: row.get("versions")?,
            revision: row.get("revision")?,
            changed_by: row.get("changed_by")?,
            changed_at: row.instant("changed_at")?,
        })
    }

    /// None: it has no version yet.
    pub async fn load(
        database: &Database,
        tenant: &str,
        key: &Key,
    ) -> Result<Option<Self>, database::Error> {
        let statement = format!(
            "select {COLUMNS}
            from templates
            where tenant_id = $1::text
                and event = $2::text
                and audience = $3::text
                and channel = $4::text
                and locale = $5::text"
        );
        let row = database
            .row(&statement, key_parameters(tenant, key))
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    pub fn answer(&self) -> Response {
        let etag = response::etag(self.revision);
        response::with(response::json(StatusCode::OK, self), "etag", &etag)
    }
}

/// `$1` to `$5`: tenant, event, audience, channel, locale.
pub fn key_parameters(tenant: &str, key: &Key) -> Vec<ParameterValue> {
    vec![
        database::text(tenant),
        database::text(key.occasion.name()),
        database::text(key.audience.name()),
        database::text(key.channel.name()),
        database::text(&key.locale),
    ]
}

/// What speaks now, with its source: the tenant's own version, or the built-in words.
pub async fn get(database: &Database, tenant: &str, key: &Key) -> Result<Response, Problem> {
    let state = State::load(database, tenant, key).await?;
    let published = state.as_ref().and_then(|state| state.published);
    let own = match published {
        Some(version) => versions::load(database, tenant, key, version).await?,
        None => None,
    };
    let speaks = match &own {
        Some(version) => spoken_by_tenant(key, version),
        None => json!({
            "origin": "built-in",
            "locale": builtin::locale_for(&key.locale),
            "kind": "jinja",
            "source": builtin::source(key),
        }),
    };
    let revision = state.as_ref().map_or(0, |state| state.revision);
    let body = json!({ "state": state, "speaks": speaks });
    let answer = response::json(StatusCode::OK, &body);
    Ok(response::with(answer, "etag", &response::etag(revision)))
}

fn spoken_by_tenant(key: &Key, version: &Version) -> Value {
    json!({
        "origin": "tenant",
        "locale": key.locale,
        "kind": version.about.kind,
        "source": version.source,
        "version": version.about,
    })
}

/// The tenant's own, and what the built-in ones are for.
pub async fn list(database: &Database, tenant: &str) -> Result<Response, Problem> {
    let statement = format!(
        "select {COLUMNS}
        from templates
        where tenant_id = $1::text
        order by event, audience, channel, locale
        limit {TEMPLATES_MAX}"
    );
    let rows = database
        .rows(&statement, vec![database::text(tenant)])
        .await?;
    let items = rows
        .iter()
        .map(State::read)
        .collect::<Result<Vec<_>, _>>()?;
    let locales: Vec<_> = builtin::locales().collect();
    let body = json!({ "items": items, "built_in": { "locales": locales, "templates": told() } });
    Ok(response::json(StatusCode::OK, &body))
}

/// Everything that anybody is told.
fn told() -> Vec<Value> {
    let mut told = Vec::new();
    for occasion in Occasion::ALL {
        for audience in Audience::ALL {
            for channel in [Channel::Email, Channel::Sms, Channel::Push] {
                if occasion.concerns(audience) && audience.is_told_by(channel) {
                    told.push(json!({
                        "event": occasion.name(),
                        "audience": audience.name(),
                        "channel": channel.name(),
                    }));
                }
            }
        }
    }
    told
}
