//! `GET /v1/ops/deliveries?booking_id=`: what became of the news about a booking.

use jiff::Timestamp;
use praxis_platform::auth::Role;
use praxis_platform::database::{self, Database, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;
use uuid::Uuid;

/// An entry of the ledger. It holds no name and no address.
#[derive(Serialize)]
struct Item {
    event_id: String,
    booking_id: Uuid,
    audience: String,
    recipient: String,
    channel: String,
    template: String,
    /// What they asked for.
    locale: String,
    /// Whose words they were told in; null: nobody's, or the built-in ones.
    template_tenant: Option<String>,
    template_locale: Option<String>,
    template_version: Option<i32>,
    /// SHA-256 of what the template was given.
    input_hash: Option<String>,
    status: String,
    attempts: i32,
    provider: Option<String>,
    provider_id: Option<String>,
    reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Oldest first. Staff see their own tenant's: of another's booking, there are none.
pub async fn get(request: &Request) -> Result<Response, Problem> {
    const DELIVERIES: &str = "
        select
            event_id,
            audience,
            recipient,
            channel,
            template,
            locale,
            template_tenant,
            template_locale,
            template_version,
            input_hash,
            status,
            attempts,
            provider,
            provider_id,
            reason,
            extract(epoch from created_at)::bigint as created_at,
            extract(epoch from updated_at)::bigint as updated_at
        from deliveries
        where booking_id = $1::uuid
            and ($2::text is null or tenant_id = $2)
        order by deliveries.created_at, event_id, audience, channel
        limit 200";
    let claims = request.claims()?;
    claims.require(&[Role::Operator, Role::Staff])?;
    let tenant = match claims.is(Role::Operator) {
        true => None,
        false => Some(claims.staff_of().ok_or_else(no_tenant)?),
    };
    let query = request.query(&["booking_id"])?;
    let id: Uuid = query.required("booking_id", "a booking's id")?;
    let database = Database::open().await?;
    let parameters = vec![
        database::uuid(id),
        database::optional(tenant, database::text),
    ];
    let rows = database.rows(DELIVERIES, parameters).await?;
    let items = rows
        .iter()
        .map(|row| item(id, row))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(response::json(StatusCode::OK, &json!({ "items": items })))
}

fn no_tenant() -> Problem {
    Problem::forbidden("the token names no tenant")
}

fn item(booking_id: Uuid, row: &Row) -> Result<Item, database::Error> {
    Ok(Item {
        event_id: row.get("event_id")?,
        booking_id,
        audience: row.get("audience")?,
        recipient: row.get("recipient")?,
        channel: row.get("channel")?,
        template: row.get("template")?,
        locale: row.get("locale")?,
        template_tenant: row.get("template_tenant")?,
        template_locale: row.get("template_locale")?,
        template_version: row.get("template_version")?,
        input_hash: row.get("input_hash")?,
        status: row.get("status")?,
        attempts: row.get("attempts")?,
        provider: row.get("provider")?,
        provider_id: row.get("provider_id")?,
        reason: row.get("reason")?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
    })
}
