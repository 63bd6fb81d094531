//! The search documents, kept up with the events. Each document has two sources with a version of
//! their own: the profile, and the next free slot. What is older than what is held is not applied,
//! so that a redelivery or a replay changes nothing.

use praxis_domain::audit::document::NEXT_SLOT;
use praxis_domain::event::{self, AVAILABILITY_CHANGED, AVAILABILITY_EVENTS, PRACTITIONER_EVENTS};
use praxis_platform::database::{self, Database};
use praxis_platform::events::{self, Delivery, Event, Failure};
use praxis_platform::index::documents::{Change, apply};
use praxis_platform::index::{Error, Field, Value};

use crate::{INDEX, profile};

pub const PROFILE: &str = "profile";
pub const AVAILABILITY: &str = "availability";

/// The index is written to once for all of them: that is what takes time.
pub async fn handle(deliveries: &[Delivery]) -> Vec<Result<(), Failure>> {
    let mut changes = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        changes.push(change(delivery).await);
    }
    let sound: Vec<_> = changes.iter().flatten().cloned().collect();
    // Applied or stale: either way the index holds this or something newer.
    let applied = match sound.is_empty() {
        true => Ok(Vec::new()),
        false => apply(INDEX.to_owned(), sound).await,
    };
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        outcomes.push(match (change, &applied) {
            (Err(failure), _) => Err(failure),
            (Ok(_), Ok(_)) => Ok(()),
            (Ok(_), Err(Error::Unavailable)) => Err(Error::Unavailable.into()),
            // One of them is to blame: each is tried alone.
            (Ok(change), Err(_)) => apply_one(change).await,
        });
    }
    outcomes
}

async fn apply_one(change: Change) -> Result<(), Failure> {
    apply(INDEX.to_owned(), vec![change]).await?;
    Ok(())
}

/// What an event changes in the index.
async fn change(delivery: &Delivery) -> Result<Change, Failure> {
    let event = &delivery.event;
    match (delivery.topic.as_str(), event.kind.as_str()) {
        (
            PRACTITIONER_EVENTS,
            event::PRACTITIONER_CREATED
            | event::PRACTITIONER_UPDATED
            | event::PRACTITIONER_DEACTIVATED,
        ) => profile_of(event).await,
        (AVAILABILITY_EVENTS, AVAILABILITY_CHANGED) => availability(event),
        _ => Err(events::unexpected(delivery)),
    }
}

/// The event carries the id alone: what is indexed is the profile as it is now, with its version.
async fn profile_of(event: &Event) -> Result<Change, Failure> {
    const LOAD: &str = "
        select
            name,
            specialty,
            practice,
            city,
            country::text as country,
            time_zone,
            lat,
            lon,
            rating,
            to_jsonb(languages) as languages,
            telehealth,
            active,
            profile_version
        from practitioners
        where id = $1::uuid";
    let practitioner: event::Practitioner = events::payload(event)?;
    let id = practitioner.practitioner_id;
    let database = Database::open().await?;
    let row = database.row(LOAD, vec![database::uuid(id)]).await?;
    let row = row.ok_or_else(|| Failure::Reject(format!("there is no practitioner {id}")))?;
    Ok(of_profile(
        id.to_string(),
        profile::version(row.get("profile_version")?)?,
        profile::fields(&row)?,
    ))
}

/// A profile as the document has it from now on.
pub fn of_profile(id: String, version: u64, mut fields: Vec<Field>) -> Change {
    // What was taken back.
    for name in profile::OPTIONAL {
        if fields.iter().all(|field| field.name != name) {
            fields.push(field(name, Value::Absent));
        }
    }
    Change {
        id,
        source: PROFILE.to_owned(),
        version,
        fields,
    }
}

fn availability(event: &Event) -> Result<Change, Failure> {
    let news: event::AvailabilityChanged = events::payload(event)?;
    let next = news.next_available_slot;
    let next = next.map(|slot| Value::Date(slot.as_millisecond()));
    let id = news.practitioner_id.to_string();
    Ok(of_next_slot(id, event.stream_version, next))
}

/// The next free slot as the document has it from now on.
pub fn of_next_slot(id: String, version: u64, next: Option<Value>) -> Change {
    Change {
        id,
        source: AVAILABILITY.to_owned(),
        version,
        fields: vec![field(NEXT_SLOT, next.unwrap_or(Value::Absent))],
    }
}

pub fn field(name: &str, value: Value) -> Field {
    Field {
        name: name.to_owned(),
        value,
    }
}
