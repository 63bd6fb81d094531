//! `POST …/versions/{n}/test-send`: a message to oneself, with the sample's people in it.

use praxis_domain::patient::Channel;
use praxis_domain::template::Key;
use praxis_domain::template::sample::{self, Sample};
use praxis_platform::auth::Claims;
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::delivery;
use praxis_platform::problem::Problem;
use praxis_platform::response::{self, Response};
use serde_json::json;
use spin_sdk::http::StatusCode;

use super::preview::public_url;
use super::renderer::{self, Input};
use super::versions;
use crate::message::{Envelope, Message};
use crate::tenants::Tenant;

/// The address is the token's: nobody else can be written to.
pub async fn send(
    database: &Database,
    claims: &Claims,
    tenant: &Tenant,
    key: &Key,
    version: i32,
) -> Result<Response, Problem> {
    let (address, claim) = match key.channel {
        Channel::Email => (claims.email.as_deref(), "email"),
        Channel::Sms => (claims.phone_number.as_deref(), "phone_number"),
        Channel::Push => (None, "device"),
    };
    let address = address.ok_or_else(|| no_address(claim))?;
    let version = versions::found(database, &tenant.id, key, version).await?;
    let view = sample::view(Sample::Full, key, &tenant.brand(), &public_url().await?);
    let input = Input::of(&view);
    let message = renderer::render(&tenant.id, key, &version.to_render(), &input).await?;
    let envelope = Envelope {
        owner: tenant.id.clone(),
        idempotency_key: clock::new_id().to_string(),
        address: address.to_owned(),
        sender_name: tenant.branding.sender_name.clone(),
        reply_to: tenant.branding.reply_to.clone(),
        entry: None,
        unsubscribe: None,
    };
    let sent = Message::of(key.channel, message).send(envelope).await;
    let receipt = sent.map_err(not_sent)?;
    let body = json!({
        "to": address,
        "provider": receipt.provider,
        "provider_id": receipt.provider_id,
    });
    Ok(response::json(StatusCode::OK, &body))
}

fn no_address(claim: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "/problems/no-address",
        "You have no address",
        format!("the token has no claim {claim}"),
    )
}

fn not_sent(error: delivery::Error) -> Problem {
    let refused = |why: String| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "/problems/not-delivered",
            "It can't be delivered",
            why,
        )
    };
    match error {
        delivery::Error::Unavailable => Problem::unavailable("the delivery is unavailable"),
        delivery::Error::Throttled(_) => Problem::unavailable("too many messages at once"),
        delivery::Error::BadAddress(why) | delivery::Error::Rejected(why) => refused(why),
    }
}
