//! Which reminders there will be.

use jiff::Timestamp;
use praxis_domain::event;
use praxis_domain::notice::Occasion;
use praxis_platform::database::{self, Database, ParameterValue};
use uuid::Uuid;

/// What an event makes of the plan. The same at every try, and at a replay: it goes by the booking as it is
/// now, and what is planned already stays. What was due before it happened is not planned: whoever
/// books for tomorrow was told just now.
pub struct Change {
    /// The booking that has ended.
    ended: Option<Uuid>,
    happened: Timestamp,
}

impl Change {
    /// None: it stays as it is.
    pub fn of(occasion: Occasion, booking: &event::Booking, happened: Timestamp) -> Option<Self> {
        let ended = match occasion {
            Occasion::Created => None,
            Occasion::Rescheduled => booking.previous.as_ref().map(|old| old.rescheduled_from),
            Occasion::Cancelled => Some(booking.booking_id),
            Occasion::Reminder | Occasion::Offered => return None,
        };
        Some(Self { ended, happened })
    }

    /// Those of `plan.sql`, from $3 on.
    pub fn parameters(&self, booking: &event::Booking) -> [ParameterValue; 4] {
        [
            database::uuid(booking.booking_id),
            database::optional(self.ended, database::uuid),
            database::seconds(self.happened),
            database::text(&booking.tenant_id),
        ]
    }
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
