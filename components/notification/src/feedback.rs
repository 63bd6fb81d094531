//! `POST /v1/deliveries/sns`: what Amazon reports of mail that it took. Who may say so, the host
//! checks; what it means for the ledger and for the next mail is decided here.

use praxis_domain::patient::Channel;
use praxis_platform::database::{self, Database};
use praxis_platform::delivery::feedback::{self, Outcome, Report};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};

use crate::suppressed::{self, Reason};

const BODY_BYTES_MAX: usize = 1 << 20;

/// 204 where all of it was taken in; SNS sends it again after any other answer.
pub async fn post(request: Request) -> Result<Response, Problem> {
    let body = request.bytes(BODY_BYTES_MAX).await?;
    let reports = feedback::sns(body).await.map_err(|error| match error {
        feedback::Error::Untrusted(why) => Problem::forbidden(why),
        feedback::Error::Malformed(why) => Problem::bad_request(why),
        feedback::Error::Unavailable => Problem::unavailable("SNS can't be asked"),
    })?;
    if reports.is_empty() {
        return Ok(response::no_content());
    }
    let database = Database::open().await?;
    for report in &reports {
        // The address first: if the second fails it comes again, and this is the same then.
        if let Some(reason) = reason(report.outcome) {
            for address in &report.addresses {
                suppressed::add(&database, Channel::Email, address, reason).await?;
            }
        }
        mark(&database, report).await?;
    }
    Ok(response::no_content())
}

/// Why the address is not written to again, if it is not.
fn reason(outcome: Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Bounced => Some(Reason::Bounced),
        Outcome::Complained => Some(Reason::Complained),
        Outcome::Undelivered => None,
    }
}

/// In the ledger. A message that is not in it is another application's, or was sent by a host that
/// died before it could write that down.
async fn mark(database: &Database, report: &Report) -> Result<(), database::Error> {
    const MARK: &str = "
        update deliveries set
            status = $3::text,
            reason = $4::text,
            updated_at = now()
        where provider_id = $2::text
            and provider = $1::text
            and status in ('sent', 'bounced')";
    let status = match report.outcome {
        Outcome::Bounced | Outcome::Undelivered => "bounced",
        Outcome::Complained => "complained",
    };
    let parameters = vec![
        database::text(&report.provider),
        database::text(&report.provider_id),
        database::text(status),
        database::text(&report.detail),
    ];
    database.execute(MARK, parameters).await.map(|_| ())
}
