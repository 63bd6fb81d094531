//! Facts, in and out: `praxis:events`.

pub use crate::batch_consumer::exports::praxis::events::batch_consumer::Guest as BatchGuest;
pub use crate::consumer::exports::praxis::events::consumer::Guest;
pub use crate::imports::praxis::events::producer;
pub use crate::imports::praxis::events::types::{Delivery, Event, Failure};

use crate::{cache, database, delivery, index};

/// Reads an event's payload. What can't be read now never can.
pub fn payload<T: serde::de::DeserializeOwned>(event: &Event) -> Result<T, Failure> {
    serde_json::from_str(&event.data)
        .map_err(|error| Failure::Reject(format!("the payload of {} is odd: {error}", event.kind)))
}

/// What to answer to an event that this component has no use for: somebody misrouted it.
pub fn unexpected(delivery: &Delivery) -> Failure {
    Failure::Reject(format!(
        "no use for a {} on {}",
        delivery.event.kind, delivery.topic
    ))
}

impl From<database::Error> for Failure {
    fn from(error: database::Error) -> Self {
        match error {
            // What is broken there may be mended before the tries are used up. It is no fault of the
            // event, so a key that must not leave anything out is held.
            database::Error::Unavailable
            | database::Error::Contention
            | database::Error::Broken(_) => Self::Retry(error.to_string()),
            database::Error::Constraint(_) => Self::Reject(error.to_string()),
        }
    }
}

impl From<cache::Error> for Failure {
    fn from(error: cache::Error) -> Self {
        // As for the database: what is broken there is no fault of the event.
        Self::Retry(error.to_string())
    }
}

impl From<producer::Error> for Failure {
    fn from(error: producer::Error) -> Self {
        match error {
            producer::Error::Unavailable => Self::Retry("the event broker is unavailable".into()),
            producer::Error::NotGranted(topic) => {
                Self::Reject(format!("publishing to {topic} is not granted"))
            }
            producer::Error::Invalid(limit) => {
                Self::Reject(format!("could not publish the event: {limit}"))
            }
        }
    }
}

impl From<index::Error> for Failure {
    fn from(error: index::Error) -> Self {
        match error {
            index::Error::Unavailable => Self::Retry("the index is unavailable".into()),
            index::Error::Conflict(which) => Self::Retry(which),
            index::Error::NotGranted(name) => {
                Self::Reject(format!("the index {name} is not granted"))
            }
            index::Error::BadField(field) => {
                Self::Reject(format!("the index has no such field: {field}"))
            }
            index::Error::Invalid(limit) => Self::Reject(format!("the index refused: {limit}")),
        }
    }
}

impl From<delivery::Error> for Failure {
    fn from(error: delivery::Error) -> Self {
        match error {
            delivery::Error::Unavailable => Self::Retry("the delivery is unavailable".into()),
            delivery::Error::Throttled(pause_ms) => {
                Self::Retry(format!("too much at once: not before {pause_ms} ms"))
            }
            delivery::Error::BadAddress(why) => Self::Reject(format!("bad address: {why}")),
            delivery::Error::Rejected(why) => Self::Reject(format!("delivery rejected: {why}")),
        }
    }
}
