//! A reminder whose time has come.

use praxis_domain::event::{self, Reminder};
use praxis_domain::reminder;
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};

/// What there is to remind of.
pub struct Due {
    pub booking: event::Booking,
    /// Too late, or said better by another one.
    pub is_late: bool,
    pub practitioners_too: bool,
}

/// None: the booking is cancelled or at another time by now, or its tenant does not want this reminder any more.
pub async fn load(
    database: &Database,
    reminder: &Reminder,
) -> Result<Option<Due>, database::Error> {
    const LOAD: &str = "
        select
            booking_event_data(b) as booking,
            to_jsonb(t.reminder_minutes) as leads,
            t.reminds_practitioners
        from bookings b
        join tenants t on t.id = b.tenant_id
        where b.id = $1::uuid
            and b.status = 'confirmed'
            and b.slot_start = to_timestamp($2::bigint)
            and $3::int = any (t.reminder_minutes)";
    let parameters = vec![
        database::uuid(reminder.booking_id),
        database::seconds(reminder.slot_start),
        ParameterValue::Int32(reminder.lead_minutes),
    ];
    let Some(row) = database.row(LOAD, parameters).await? else {
        return Ok(None);
    };
    let leads: Vec<i32> = row.json("leads")?;
    let (slot_start, lead) = (reminder.slot_start, reminder.lead_minutes);
    Ok(Some(Due {
        booking: row.json("booking")?,
        is_late: !reminder::is_timely(slot_start, lead, &leads, clock::now()),
        practitioners_too: row.get("reminds_practitioners")?,
    }))
}
