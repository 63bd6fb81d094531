//! Links that act, as requests bring them.

use praxis_domain::link::{Deed, Invalid, Secrets};
use spin_sdk::http::StatusCode;
use spin_sdk::variables;

use crate::clock;
use crate::problem::Problem;

/// The variable with the secrets that sign links.
pub const SECRET_VARIABLE: &str = "link_secret";

/// What signs links; or which setting is wrong, and how.
pub async fn secrets() -> Result<Secrets, String> {
    let text = variables::get(SECRET_VARIABLE).await;
    let text = text.map_err(|error| format!("variable {SECRET_VARIABLE}: {error}"))?;
    Secrets::parse(&text).map_err(|error| format!("variable {SECRET_VARIABLE}: {error}"))
}

/// What a link does. 404 where it is none of ours, 410 where its time is over.
pub async fn deed(token: &str) -> Result<Deed, Problem> {
    let secrets = secrets().await.map_err(|cause| Problem::internal(&cause))?;
    let deed = secrets.verify(token, clock::now());
    deed.map_err(|invalid| match invalid {
        Invalid::Forged => Problem::not_found(),
        Invalid::Expired => over("the link has run out"),
    })
}

/// 410.
pub fn over(detail: &str) -> Problem {
    Problem::new(
        StatusCode::GONE,
        "/problems/link-over",
        "The link does nothing any more",
        detail,
    )
}
