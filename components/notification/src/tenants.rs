//! `GET` and `PUT /v1/tenants/{tenant}`: how a tenant appears in what is sent in its name.

use praxis_domain::locale::Locale;
use praxis_domain::tenant::{Brand, Branding, Profile};
use praxis_platform::auth::{Claims, Role};
use praxis_platform::database::{self, Database, OnConstraint as _, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde_json::json;
use spin_sdk::http::StatusCode;

pub struct Tenant {
    pub id: String,
    name: String,
    pub default_locale: Locale,
    pub branding: Branding,
    reminder_minutes: Vec<i32>,
    reminds_practitioners: bool,
    revision: i64,
}

impl Tenant {
    pub async fn load(database: &Database, id: &str) -> Result<Option<Self>, database::Error> {
        const LOAD: &str = "
            select
                id, name, default_locale, branding, reminds_practitioners, revision,
                to_jsonb(reminder_minutes) as reminder_minutes
            from tenants
            where id = $1::text";
        let row = database.row(LOAD, vec![database::text(id)]).await?;
        row.as_ref().map(Self::read).transpose()
    }

    pub fn brand(&self) -> Brand {
        Brand::of(&self.name, &self.branding)
    }

    fn read(row: &Row) -> Result<Self, database::Error> {
        let default_locale: String = row.get("default_locale")?;
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            default_locale: Locale::or_default(Some(&default_locale)),
            branding: row.json("branding")?,
            reminder_minutes: row.json("reminder_minutes")?,
            reminds_practitioners: row.get("reminds_practitioners")?,
            revision: row.get("revision")?,
        })
    }

    fn answer(&self, status: StatusCode) -> Response {
        let Branding {
            sender_name,
            reply_to,
            logo_url,
            colors,
        } = &self.branding;
        let body = json!({
            "tenant": self.id,
            "name": self.name,
            "default_locale": self.default_locale,
            "sender_name": sender_name,
            "reply_to": reply_to,
            "logo_url": logo_url,
            "colors": colors,
            "reminder_minutes": self.reminder_minutes,
            "reminds_practitioners": self.reminds_practitioners,
        });
        let etag = response::etag(self.revision);
        response::with(response::json(status, &body), "etag", &etag)
    }
}

/// The claims of its staff, or of an operator; for everybody else it is not there.
pub fn claims_for(request: &Request, tenant: &str) -> Result<Claims, Problem> {
    let claims = request.claims()?;
    if claims.is(Role::Operator) || claims.staff_of() == Some(tenant) {
        return Ok(claims);
    }
    Err(Problem::not_found())
}

pub async fn get(request: &Request, tenant: &str) -> Result<Response, Problem> {
    claims_for(request, tenant)?;
    request.query(&[])?;
    let database = Database::open().await?;
    let tenant = Tenant::load(&database, tenant).await?;
    let tenant = tenant.ok_or_else(Problem::not_found)?;
    Ok(tenant.answer(StatusCode::OK))
}

/// Replaces all of it. A tenant that is not there yet has the version 0.
pub async fn put(request: Request, tenant: &str) -> Result<Response, Problem> {
    const CREATE: &str = include_str!("tenants/create.sql");
    let claims = claims_for(&request, tenant)?;
    request.query(&[])?;
    let seen: i64 = request.if_match()?;
    let profile: Profile = request.json().await?;
    let errors = profile.check();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let database = Database::open().await?;
    let mut parameters = vec![
        database::text(tenant),
        database::text(&profile.name),
        database::text(&profile.default_locale),
        database::json(&profile.branding()),
        database::text(&claims.sub),
        ParameterValue::ArrayInt32(profile.reminder_minutes.into_iter().map(Some).collect()),
        ParameterValue::Boolean(profile.reminds_practitioners),
    ];
    let row = if seen == 0 {
        database
            .row(CREATE, parameters)
            .await
            .on_constraint("tenants_id_check", || {
                Err(Problem::field(
                    "/path/tenant",
                    "must have up to 63 letters, digits and hyphens",
                ))
            })?
    } else {
        parameters.push(ParameterValue::Int64(seen));
        replace(&database, tenant, parameters).await?
    };
    if let Some(row) = row {
        let status = match seen {
            0 => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        return Ok(Tenant::read(&row)?.answer(status));
    }
    let current = Tenant::load(&database, tenant).await?;
    Err(current.map_or_else(Problem::not_found, |tenant| {
        Problem::version_conflict(tenant.revision)
    }))
}

/// The row is held first: what was planned from the times that it has is there to be seen then.
async fn replace(
    database: &Database,
    tenant: &str,
    parameters: Vec<ParameterValue>,
) -> Result<Option<Row>, database::Error> {
    const HOLD: &str = "select from tenants where id = $1::text for update";
    const PUT: &str = include_str!("tenants/put.sql");
    let replaced = database.transaction(async || {
        let held = vec![database::text(tenant)];
        database.rows(HOLD, held).await?;
        database.row(PUT, parameters).await
    });
    replaced.await
}
