//! `/v1/links/opt-out/{token}`: whoever has the link ends reminders on one channel, or has them again.

use praxis_domain::event;
use praxis_domain::link::Deed;
use praxis_domain::notice::Notice;
use praxis_domain::patient::Channel;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::links;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde_json::json;
use spin_sdk::http::{Method, StatusCode};
use uuid::Uuid;

/// `GET` tells and changes nothing: mail programs look at links on their own. `POST` opts out, and is what
/// they send when somebody unsubscribes (RFC 8058); `DELETE` takes it back. Both do what they did if they
/// come again.
pub async fn route(request: &Request, token: &str) -> Result<Response, Problem> {
    const OPT_OUT: &str = "
        insert into reminder_opt_outs (patient_id, channel)
        select id, $2::text
        from patients
        where id = $1::uuid
        on conflict do nothing";
    const OPT_IN: &str = "
        delete from reminder_opt_outs
        where patient_id = $1::uuid
            and channel = $2::text";
    const IS_OUT: &str = "
        select exists (
            select
            from reminder_opt_outs
            where patient_id = $1::uuid
                and channel = $2::text
        ) as is_out";
    request.query(&[])?;
    let (patient, channel) = deed(token).await?;
    let parameters = vec![database::uuid(patient), database::text(channel.name())];
    let change = match request.method() {
        Method::GET => None,
        Method::POST => Some(OPT_OUT),
        Method::DELETE => Some(OPT_IN),
        _ => return Err(Problem::method_not_allowed("GET, POST, DELETE")),
    };
    let database = Database::open().await?;
    if let Some(change) = change {
        database.execute(change, parameters.clone()).await?;
    }
    let row = database.row(IS_OUT, parameters).await?;
    let is_out: bool = row.map_or(Ok(false), |row| row.get("is_out"))?;
    let body = json!({ "channel": channel, "opted_out": is_out });
    Ok(response::json(StatusCode::OK, &body))
}

async fn deed(token: &str) -> Result<(Uuid, Channel), Problem> {
    match links::deed(token).await? {
        Deed::OptOut {
            patient_id,
            channel,
        } => Ok((patient_id, channel)),
        Deed::Cancel { .. } => Err(Problem::not_found()),
    }
}

/// For each notice whether its recipient wants no reminders on its channel.
pub async fn among(
    database: &Database,
    booking: &event::Booking,
    notices: &[Notice<'_>],
) -> Result<Vec<bool>, database::Error> {
    const OUT: &str = "
        select coalesce(jsonb_agg(channel), '[]') as channels
        from reminder_opt_outs
        where patient_id = $1::uuid";
    let parameters: Vec<ParameterValue> = vec![database::uuid(booking.patient_id)];
    let out: Vec<Channel> = match database.row(OUT, parameters).await? {
        Some(row) => row.json("channels")?,
        None => Vec::new(),
    };
    let is_out = |notice: &Notice<'_>| {
        notice.recipient.id == booking.patient_id && out.contains(&notice.channel)
    };
    Ok(notices.iter().map(is_out).collect())
}
