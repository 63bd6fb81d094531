//! What a timer asks for: the reminders whose time has come, as events.

use praxis_domain::event::{REMINDER_DUE, REMINDER_EVENTS};
use praxis_domain::reminder::ANNOUNCED_MAX;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::events::Failure;

use super::plan;
use crate::templates::failures;

/// Some at a time: after an outage they go out in portions, not in a flood. Two hosts that do this at once
/// announce each reminder once.
pub async fn announce() -> Result<(), Failure> {
    const ANNOUNCE: &str = include_str!("announce.sql");
    let database = Database::open().await?;
    let parameters = vec![
        ParameterValue::Int64(ANNOUNCED_MAX),
        database::text(REMINDER_EVENTS),
        database::text(REMINDER_DUE),
    ];
    database.execute(ANNOUNCE, parameters).await?;
    plan::prune(&database).await?;
    failures::prune(&database).await?;
    Ok(())
}
