//! A dead letter as operators see it: its id, a page of them, and why nothing became of one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::capabilities::events::{Error, Record};

/// Where a letter lies: `TOPIC.PARTITION.OFFSET`, the topic being the one that it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rest, offset) = text.rsplit_once('.').ok_or(())?;
        let (topic, partition) = rest.rsplit_once('.').ok_or(())?;
        Ok(Self {
            topic: topic.to_owned(),
            partition: partition.parse().map_err(drop)?,
            offset: offset.parse().map_err(drop)?,
        })
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An event that was given up on, and nothing has become of yet.
#[derive(Debug, Serialize)]
pub struct Letter {
    pub id: Id,
    pub event_id: uuid::Uuid,
    pub kind: String,
    pub key: String,
    /// When it happened, milliseconds since the Unix epoch.
    pub time_ms: u64,
    pub reason: String,
    /// 0 if no component was to see it.
    pub attempts: u32,
    pub group: String,
    pub component: String,
    pub version: String,
    /// Where it came from.
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    /// How long the payload was, if the broker did not take the letter with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_bytes: Option<u64>,
    /// The payload, where one letter was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Letter {
    /// None for what is no letter.
    pub(super) fn of(id: Id, record: &Record) -> Option<Self> {
        let dead = record.dead_letter.clone()?;
        Some(Self {
            id,
            event_id: record.id,
            kind: record.event.kind.clone(),
            key: record.event.key.clone(),
            time_ms: record.time_ms,
            reason: dead.reason,
            attempts: dead.attempts,
            group: dead.group,
            component: dead.component,
            version: dead.version,
            topic: dead.topic,
            partition: dead.partition,
            offset: dead.offset,
            cut_bytes: dead.cut_bytes,
            data: None,
        })
    }
}

/// Some of the open letters.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    pub items: Vec<Letter>,
    /// The last one's id, if there are more behind it.
    pub next_cursor: Option<Id>,
}

/// What one call did with a topic's letters.
#[derive(Debug, Default, Serialize)]
pub struct Redriven {
    pub redriven: Vec<Id>,
    /// Letters that are still open: call again, or discard them.
    pub open: usize,
}

/// Why nothing became of a letter.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no such dead letter, or it was redriven or discarded")]
    Unknown,
    /// Redriven first, it would overtake.
    #[error("{0} is of the same key, and was given up on earlier: redrive or discard it first")]
    Earlier(Id),
    #[error("no component can handle it, it is no event or lost its payload: discard it")]
    Malformed,
    /// The event's topic does not take it any more.
    #[error("{0}: discard it, or let the broker take it")]
    Unwanted(Error),
    #[error("the topic it came from is gone: discard it")]
    Homeless,
    /// The component was renamed, or reads the topic no more: nobody would handle it.
    #[error("no component has the group {0} and reads the topic any more: discard it")]
    Unread(String),
    #[error(transparent)]
    Broker(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownTopic(_) => Self::Unknown,
            Error::Unavailable(_) | Error::Refused(_) | Error::Lost => Self::Broker(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = Id {
            topic: "shop.orders.2".to_owned(),
            partition: 3,
            offset: 17,
        };
        assert_eq!(id.to_string(), "shop.orders.2.3.17");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "",
            "facts",
            "facts.1",
            "facts.x.1",
            "facts.0.-1",
            "facts.0.1x",
        ] {
            assert_eq!(text.parse::<Id>(), Err(()), "{text}");
        }
    }
}
