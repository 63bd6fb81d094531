//! Asks a group to handle again what it has handled.
//!
//! The request is a record at the end of each partition. Whoever reads the partition for the group
//! comes to it in its turn, and then handles what lies between the wanted offset and the request.
//! So it needs no stop, survives any host, and is not in the way of other groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::capabilities::events::{Broker, Error, Outgoing, Record, Replay};
use crate::clock;
use crate::triggers::kafka::Group;

/// From where a group is to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The oldest that is kept.
    Earliest,
    Offset(u64),
    /// What was published then or later.
    Time(DateTime<Utc>),
}

impl std::str::FromStr for From {
    type Err = String;

    /// `earliest`, an offset, or a time (RFC 3339).
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "earliest" {
            return Ok(Self::Earliest);
        }
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(offset));
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| {
            format!("{text:?} is not \"earliest\", an offset or a time as in 2026-11-22T18:00:00Z")
        })?;
        Ok(Self::Time(time.to_utc()))
    }
}

/// What will be handled again in one partition.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    pub partition: u32,
    pub from: u64,
    /// The first offset that is not.
    pub to: u64,
    /// When the first of these events came about; none if that can't be said.
    pub begins: Option<DateTime<Utc>>,
}

/// Why nothing is handled again.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(
        "no component of this application has the group {0}: /v1/ops/consumers lists those there are"
    )]
    UnknownGroup(String),
    #[error("the group {group} does not read the topic {topic}")]
    UnreadTopic { group: String, topic: String },
    #[error("the topic {topic} has no partition {partition}")]
    UnknownPartition { topic: String, partition: u32 },
    #[error(transparent)]
    Broker(#[from] Error),
}

/// Asks `group` to read `topic` again, one partition or all. Gives what it will handle again; a
/// partition with nothing in it is left out.
pub async fn publish(
    broker: &Arc<dyn Broker>,
    groups: &[Group],
    group: &str,
    topic: &str,
    partition: Option<u32>,
    from: From,
) -> Result<Vec<Range>, Refused> {
    let named: Vec<_> = groups.iter().filter(|known| known.name == group).collect();
    let Some(known) = named.first() else {
        return Err(Refused::UnknownGroup(group.to_owned()));
    };
    if !named.iter().any(|known| known.topics.contains_key(topic)) {
        return Err(Refused::UnreadTopic {
            group: group.to_owned(),
            topic: topic.to_owned(),
        });
    }
    let component = &known.component;
    let extents: BTreeMap<_, _> = broker
        .extent(topic)
        .await?
        .into_iter()
        .map(|extent| (extent.partition, extent))
        .collect();
    if let Some(partition) = partition.filter(|wanted| !extents.contains_key(wanted)) {
        return Err(Refused::UnknownPartition {
            topic: topic.to_owned(),
            partition,
        });
    }
    let mut ranges = Vec::new();
    let mut requests = Vec::new();
    for extent in extents.into_values() {
        if partition.is_some_and(|one| one != extent.partition) {
            continue;
        }
        let from = match from {
            From::Earliest => extent.start,
            From::Offset(offset) => offset.max(extent.start),
            From::Time(time) => {
                let time_ms = u64::try_from(time.timestamp_millis()).unwrap_or(0);
                broker.offset_at(topic, extent.partition, time_ms).await?
            }
        };
        if from >= extent.end {
            continue;
        }
        ranges.push(Range {
            partition: extent.partition,
            from,
            to: extent.end,
            begins: begins(broker, topic, extent.partition, from).await?,
        });
        let replay = Replay {
            group: group.to_owned(),
            from,
        };
        let time_ms = clock::now().timestamp_millis().unsigned_abs();
        requests.push(Outgoing {
            topic: topic.to_owned(),
            partition: Some(extent.partition),
            record: Record::replay(clock::id(), component.clone(), time_ms, replay),
        });
    }
    broker.publish(&requests).await?;
    Ok(ranges)
}

async fn begins(
    broker: &Arc<dyn Broker>,
    topic: &str,
    partition: u32,
    from: u64,
) -> Result<Option<DateTime<Utc>>, Error> {
    let first = broker.read(topic, partition, from, 1).await?;
    let ms = first
        .first()
        .and_then(|first| i64::try_from(first.record.time_ms).ok());
    Ok(ms.and_then(DateTime::from_timestamp_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_begin_is_read_in_three_forms() {
        assert_eq!("earliest".parse(), Ok(From::Earliest));
        assert_eq!("17".parse(), Ok(From::Offset(17)));
        let time = DateTime::from_timestamp_millis(1_767_225_600_000).unwrap();
        assert_eq!("2026-01-01T01:00:00+01:00".parse(), Ok(From::Time(time)));
        for text in ["", "latest", "-1", "2026-01-01"] {
            assert!(text.parse::<From>().unwrap_err().contains("earliest"));
        }
    }
}
