//! What events and the clock do to the bitmap and to the next free slot.

use jiff::{SignedDuration, Timestamp};
use praxis_domain::event::{self, BookingKind};
use praxis_domain::{elsewhere, terms};
use praxis_platform::cache::{self, Cache};
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

use crate::audit;
use crate::bitmap::{self, Applied, Change};
use crate::next_slot;

/// Practitioners looked up at once.
const DUE_PER_STATEMENT_MAX: i32 = 100;
/// Between two such statements.
const PAUSE_MS_MAX: u64 = 1_000;
/// How long one tick may take. Less than the host gives to an event; what is left is due at the next.
const TICK_SECONDS_MAX: i64 = 45;
/// At every such tick, those are looked for whose row was lost.
const LOST_EVERY_TICKS: i64 = 15;
/// A next slot is computed anew so long before it can't be booked any more: the audit, which allows for
/// two clocks, takes either.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

pub async fn handle(delivery: &Delivery) -> Result<(), Failure> {
    match (delivery.topic.as_str(), delivery.event.kind.as_str()) {
        (event::BOOKING_EVENTS, event::HOUR_TAKEN_ELSEWHERE | event::HOUR_FREED_ELSEWHERE) => {
            let told: event::Elsewhere = events::payload(&delivery.event)?;
            changed_elsewhere(&told, delivery).await
        }
        (event::BOOKING_EVENTS, kind) => {
            let kind = BookingKind::parse(kind).ok_or_else(|| events::unexpected(delivery))?;
            let booking: event::Booking = events::payload(&delivery.event)?;
            booking_changed(kind, &booking, delivery).await
        }
        (
            event::PRACTITIONER_EVENTS,
            event::PRACTITIONER_CREATED
            | event::PRACTITIONER_UPDATED
            | event::PRACTITIONER_DEACTIVATED,
        ) => {
            let practitioner: event::Practitioner = events::payload(&delivery.event)?;
            practitioner_changed(practitioner.practitioner_id, delivery).await
        }
        (event::CRON, event::NEXT_SLOTS_DUE) => time_passed(delivery).await,
        (event::CRON, event::AUDIT_DUE) => audit::tick(delivery).await,
        _ => Err(events::unexpected(delivery)),
    }
}

async fn booking_changed(
    kind: BookingKind,
    booking: &event::Booking,
    delivery: &Delivery,
) -> Result<(), Failure> {
    let practitioner = booking.practitioner_id;
    let database = open(delivery).await?;
    let snapshot = load(&database, practitioner).await?;
    let (changes, version) = (changes(kind, booking), delivery.event.stream_version);
    let cached = apply(practitioner, version, &changes, &snapshot).await;
    next_slot::save(&database, &[(practitioner, &snapshot)], clock::now(), false).await?;
    // Said last: the index learns of it even while the cache is away.
    Ok(cached?)
}

/// An hour may be taken by two bookings at other places, a part by each: whether it is free when one of
/// them ends, the database says. Where that is ahead of the event, the events up to there follow, and
/// leave the hour as they found it.
async fn changed_elsewhere(told: &event::Elsewhere, delivery: &Delivery) -> Result<(), Failure> {
    let practitioner = told.practitioner_id;
    let database = open(delivery).await?;
    let snapshot = load(&database, practitioner).await?;
    let changes: Vec<_> = elsewhere::slots(told.slot_start, snapshot.zone())
        .map(|slot| Change {
            date: slot.date(),
            hour: slot.hour(),
            booked: snapshot.is_booked(&slot),
        })
        .collect();
    let version = delivery.event.stream_version;
    let cached = apply(practitioner, version, &changes, &snapshot).await;
    next_slot::save(&database, &[(practitioner, &snapshot)], clock::now(), false).await?;
    Ok(cached?)
}

async fn practitioner_changed(practitioner: Uuid, delivery: &Delivery) -> Result<(), Failure> {
    let database = open(delivery).await?;
    let snapshot = load(&database, practitioner).await?;
    let cached = reset(practitioner, &snapshot).await;
    next_slot::save(&database, &[(practitioner, &snapshot)], clock::now(), true).await?;
    Ok(cached?)
}

/// On the hour, the next slots of most begin together. So they are computed by the hundred, and from
/// a minute before: whoever searches finds the one behind it a little early, and nobody is missing until
/// their turn comes. Those have time: as long as each hundred takes, others have the processor and the database.
async fn time_passed(delivery: &Delivery) -> Result<(), Failure> {
    let now = clock::now();
    let soon = now.saturating_add(AHEAD).unwrap_or(now);
    let looks_at_all = (now.as_second() / event::NEXT_SLOTS_EVERY_SECONDS) % LOST_EVERY_TICKS == 0;
    let database = open(delivery).await?;
    for (until, has_time) in [(now, false), (soon, true)] {
        loop {
            let begun = clock::now();
            if begun.duration_since(now).as_secs() >= TICK_SECONDS_MAX {
                return Ok(());
            }
            let due = next_slot::due(&database, until, DUE_PER_STATEMENT_MAX, looks_at_all).await?;
            let refreshed = match refresh(&database, &due, soon).await {
                // One that can't be computed must not keep the others waiting.
                Err(Failure::Reject(_)) => one_by_one(&database, &due, soon).await?,
                refreshed => refreshed?,
            };
            if refreshed == 0 {
                break;
            }
            let took = clock::now().duration_since(begun).as_millis();
            if has_time {
                clock::pause(u64::try_from(took).unwrap_or(0).min(PAUSE_MS_MAX)).await;
            }
        }
    }
    Ok(())
}

async fn one_by_one(database: &Database, due: &[Uuid], when: Timestamp) -> Result<usize, Failure> {
    let mut refreshed = 0;
    for practitioner in due {
        match refresh(database, &[*practitioner], when).await {
            Ok(count) => refreshed += count,
            Err(Failure::Reject(reason)) => eprintln!("next slot of {practitioner}: {reason}"),
            Err(failure @ Failure::Retry(_)) => return Err(failure),
        }
    }
    Ok(refreshed)
}

/// How many.
async fn refresh(database: &Database, due: &[Uuid], when: Timestamp) -> Result<usize, Failure> {
    if due.is_empty() {
        return Ok(0);
    }
    let dates = terms::dates_of_anybody(when);
    let snapshots = Snapshot::load_several(database, due, dates).await?;
    let each = snapshots.iter().map(|(id, snapshot)| (*id, snapshot));
    let each: Vec<_> = each.collect();
    next_slot::save(database, &each, when, false).await?;
    Ok(each.len())
}

/// What is announced belongs to the event's trace.
async fn open(delivery: &Delivery) -> Result<Database, Failure> {
    Ok(Database::open_for(delivery.traceparent.as_deref()).await?)
}

async fn load(database: &Database, practitioner: Uuid) -> Result<Snapshot, Failure> {
    Snapshot::load_bookable(database, practitioner, clock::now())
        .await?
        .ok_or_else(|| Failure::Reject(format!("there is no practitioner {practitioner}")))
}

async fn apply(
    practitioner: Uuid,
    stream_version: u64,
    changes: &[Change],
    snapshot: &Snapshot,
) -> Result<(), cache::Error> {
    let cache = Cache::open().await?;
    match bitmap::apply(&cache, practitioner, stream_version, changes).await? {
        Applied::UpToDate => Ok(()),
        Applied::Gap => bitmap::catch_up(&cache, practitioner, snapshot).await,
    }
}

async fn reset(practitioner: Uuid, snapshot: &Snapshot) -> Result<(), cache::Error> {
    let cache = Cache::open().await?;
    bitmap::reset(&cache, practitioner, snapshot).await
}

/// The hours that an event takes or gives back.
fn changes(kind: BookingKind, booking: &event::Booking) -> Vec<Change> {
    let change = |booked| Change {
        date: booking.local_date,
        hour: booking.local_hour,
        booked,
    };
    match kind {
        BookingKind::SlotHeld | BookingKind::HoldOffered | BookingKind::BookingCreated => {
            vec![change(true)]
        }
        BookingKind::BookingCancelled | BookingKind::HoldExpired => vec![change(false)],
        BookingKind::BookingRescheduled => {
            let previous = booking.previous.as_ref().map(|previous| Change {
                date: previous.previous_local_date,
                hour: previous.previous_local_hour,
                booked: false,
            });
            previous.into_iter().chain([change(true)]).collect()
        }
    }
}
