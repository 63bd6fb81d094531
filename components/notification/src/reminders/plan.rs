//! Which reminders there will be.

use jiff::Timestamp;
use praxis_domain::event;
use praxis_domain::notice::Occasion;
use praxis_platform::database::{self, Database, ParameterValue};

/// What an event makes of the plan. The same at every try, and at a replay: it goes by the booking as it is
/// now, and what is planned already stays. What was due before it `happened` is not planned: whoever
/// books for tomorrow was told just now.
pub async fn follow(
    database: &Database,
    occasion: Occasion,
    booking: &event::Booking,
    happened: Timestamp,
) -> Result<(), database::Error> {
    const PLAN: &str = include_str!("plan.sql");
    let ended = match occasion {
        Occasion::Created => None,
        Occasion::Rescheduled => booking.previous.as_ref().map(|old| old.rescheduled_from),
        Occasion::Cancelled => Some(booking.booking_id),
        Occasion::Reminder | Occasion::Offered => return Ok(()),
    };
    let parameters = vec![
        database::uuid(booking.booking_id),
        database::optional(ended, database::uuid),
        database::seconds(happened),
        database::text(&booking.tenant_id),
    ];
    database.execute(PLAN, parameters).await.map(drop)
}

/// Forgets those of appointments that are over, some at a time.
pub async fn prune(database: &Database) -> Result<(), database::Error> {
    const PRUNED_MAX: i32 = 5_000;
    const PRUNE: &str = "
        delete from reminders
        where ctid = any (array(
            select ctid
            from reminders
            where slot_start < now() - interval '1 day'
            limit $1::int
        ))";
    let parameters = vec![ParameterValue::Int32(PRUNED_MAX)];
    database.execute(PRUNE, parameters).await.map(drop)
}
