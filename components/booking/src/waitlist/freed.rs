//! A slot that came free is offered to the first who waits for it.

use jiff::Timestamp;
use praxis_domain::booking;
use praxis_domain::elsewhere;
use praxis_domain::event::{self, BookingKind};
use praxis_domain::slot::Slot;
use praxis_domain::waitlist::{self, News, OFFER_SECONDS};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::snapshot::Snapshot;
use praxis_platform::zones;
use uuid::Uuid;

use super::sql;
use crate::offer;
use crate::store::{self, Change};

/// An event about a booking. Heard again, it changes nothing: an entry follows only the booking that
/// it names, and a slot that is taken is not offered.
pub async fn hear(delivery: &Delivery) -> Result<(), Failure> {
    match &delivery.event.kind[..] {
        event::HOUR_TAKEN_ELSEWHERE => return Ok(()),
        event::HOUR_FREED_ELSEWHERE => return freed_elsewhere(delivery).await,
        _ => {}
    }
    let kind = BookingKind::parse(&delivery.event.kind);
    let kind = kind.ok_or_else(|| events::unexpected(delivery))?;
    let told: event::Booking = events::payload(&delivery.event)?;
    match News::of(kind, &told) {
        News::Nothing => Ok(()),
        News::Taken { booking } => {
            let database = Database::open().await?;
            let booking = vec![database::uuid(booking)];
            database.execute(sql::FULFIL, booking).await?;
            Ok(())
        }
        News::Freed {
            booking,
            slot_start,
        } => {
            let database = Database::open_for(delivery.traceparent.as_deref()).await?;
            let practitioner = told.practitioner_id;
            if release(&database, booking, practitioner, slot_start).await? {
                pass_on(&database, practitioner, slot_start).await?;
            }
            Ok(())
        }
    }
}

/// What the person had at another place took up to two slots of this one.
async fn freed_elsewhere(delivery: &Delivery) -> Result<(), Failure> {
    let told: event::Elsewhere = events::payload(&delivery.event)?;
    let practitioner = told.practitioner_id;
    let database = Database::open_for(delivery.traceparent.as_deref()).await?;
    let now = clock::now();
    let around = offer::around(&database, practitioner, told.slot_start, now).await?;
    let Some(snapshot) = around else {
        return Ok(());
    };
    for slot in elsewhere::slots(told.slot_start, snapshot.zone()) {
        if release(&database, told.booking_id, practitioner, slot.start()).await? {
            pass_on(&database, practitioner, slot.start()).await?;
        }
    }
    Ok(())
}

/// Whether anybody waits for the slot. Mostly nobody does, and this is all that is asked.
async fn release(
    database: &Database,
    booking: Uuid,
    practitioner: Uuid,
    slot_start: Timestamp,
) -> Result<bool, database::Error> {
    let parameters = vec![
        database::uuid(booking),
        database::uuid(practitioner),
        database::seconds(slot_start),
    ];
    let row = database.row(&sql::release(), parameters).await?;
    row.map_or(Ok(false), |row| row.get("is_wanted"))
}

async fn pass_on(
    database: &Database,
    practitioner: Uuid,
    slot_start: Timestamp,
) -> Result<(), database::Error> {
    let now = clock::now();
    let Some(snapshot) = offer::around(database, practitioner, slot_start, now).await? else {
        return Ok(());
    };
    let offered = booking::offer(slot_start, &snapshot.schedule, snapshot.active, now);
    let Some(slot) = offered.ok().filter(|slot| waitlist::is_offered(slot, now)) else {
        return Ok(());
    };
    let parameters = offering(database, practitioner, &snapshot, &slot);
    match store::change(database, &sql::offer(), &parameters).await? {
        Change::Misaligned => {
            zones::keep(database, [snapshot.zone()], now).await?;
            Err(database::Error::Contention)
        }
        // Offered; or nobody waits for it, or somebody has it.
        Change::Done(_)
        | Change::NotApplied
        | Change::SlotTaken
        | Change::Repeated
        | Change::TooManyHolds => Ok(()),
    }
}

/// The parameters of `sql::offer`.
fn offering(
    database: &Database,
    practitioner: Uuid,
    snapshot: &Snapshot,
    slot: &Slot,
) -> [ParameterValue; 10] {
    [
        database::uuid(clock::new_id()),
        database::uuid(practitioner),
        database::seconds(slot.start()),
        database::date(slot.date()),
        ParameterValue::Int32(slot.hour().into()),
        database::text(snapshot.zone().name()),
        ParameterValue::Int32(OFFER_SECONDS),
        database::uuid(clock::new_id()),
        ParameterValue::Int64(snapshot.profile_version),
        database.trace(),
    ]
}
