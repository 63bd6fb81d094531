//! Addresses to which nothing is sent any more. For all tenants together: see the migration.

use praxis_domain::address;
use praxis_domain::patient::Channel;
use praxis_platform::auth::Role;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Deserialize;

/// Why nothing is sent there.
#[derive(Clone, Copy)]
pub enum Reason {
    /// The provider said so at once.
    Refused,
    Bounced,
    Complained,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// The first reason stays.
pub async fn add(
    database: &Database,
    channel: Channel,
    address: &str,
    reason: Reason,
) -> Result<(), database::Error> {
    const ADD: &str = "
        insert into suppressed_addresses (channel, address_hash, reason)
        values ($1::text, sha256(convert_to($2::text, 'UTF8')), $3::text)
        on conflict do nothing";
    let mut parameters = parameters(channel, address);
    parameters.push(database::text(reason.name()));
    database.execute(ADD, parameters).await.map(|_| ())
}

/// An address that may be written to again. In the body: a path would be in logs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifted {
    channel: String,
    address: String,
}

/// `POST /v1/ops/suppressions:lift`, by operators: the list is all tenants'. 204 also where the
/// address was not on it.
pub async fn lift(request: Request) -> Result<Response, Problem> {
    const LIFT: &str = "
        delete from suppressed_addresses
        where channel = $1::text
            and address_hash = sha256(convert_to($2::text, 'UTF8'))";
    request.claims()?.require(&[Role::Operator])?;
    let lifted: Lifted = request.json().await?;
    let channel = Channel::parse(&lifted.channel)
        .ok_or_else(|| Problem::field("/channel", "must be email, sms or push"))?;
    if lifted.address.chars().any(char::is_control) {
        return Err(Problem::field(
            "/address",
            "must not hold control characters",
        ));
    }
    let database = Database::open().await?;
    database
        .execute(LIFT, parameters(channel, &lifted.address))
        .await?;
    Ok(response::no_content())
}

fn parameters(channel: Channel, address: &str) -> Vec<ParameterValue> {
    vec![
        database::text(channel.name()),
        database::text(address::key(channel, address)),
    ]
}
