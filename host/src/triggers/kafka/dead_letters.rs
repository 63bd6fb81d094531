//! The dead letters of an application: which are open, and what becomes of them.
//!
//! `<topic>.dlq` is a log: letters, and further on what became of them. The open ones are what is
//! left when both are read together, so that every host sees the same and none keeps a list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::capabilities::events::{
    Broker, DeadLetter, Error, Extent, Outgoing, Received, Record, Resolution, Resolved,
    dead_letter_topic,
};
use crate::clock;

/// Letters on one page, and letters that one call redrives.
pub const LETTERS_MAX: usize = 100;
/// Records of one topic's dead letters that are looked at, the oldest first.
const SCANNED_MAX: usize = 100_000;
/// Records that are read at once.
const READ_MAX: usize = 500;
/// A resolution is no event: its payload says nothing.
const NO_DATA: &str = "{}";
const RESOLVED_KIND: &str = "DeadLetterResolved";

/// The dead letters of some topics.
pub struct DeadLetters {
    broker: Arc<dyn Broker>,
    topics: BTreeSet<String>,
    /// The CloudEvents source of what this writes.
    source: String,
    /// One change at a time: what is decided on is still so when it is written. Another host may
    /// be at it as well; then a letter is redriven twice, which its handler takes as a redelivery.
    changes: Mutex<()>,
}

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
    /// The payload, where one letter was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Some of the open letters.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    pub items: Vec<Letter>,
    /// The last one's id, if there are more behind it.
    pub next_cursor: Option<Id>,
}

/// What one call did with a topic's letters.
#[derive(Debug, Serialize)]
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
    #[error("no component can handle it, it is no event: discard it")]
    Malformed,
    #[error("the topic it came from is gone: discard it")]
    Homeless,
    #[error(transparent)]
    Broker(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownTopic(_) => Self::Unknown,
            Error::Unavailable(_) | Error::Lost => Self::Broker(error),
        }
    }
}

/// The open letters of one partition: whose each is, and its key.
type Open = BTreeMap<u64, Owner>;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    group: String,
    key: String,
    is_malformed: bool,
}

impl DeadLetters {
    pub fn new(
        broker: Arc<dyn Broker>,
        topics: impl IntoIterator<Item = String>,
        source: &str,
    ) -> Self {
        Self {
            broker,
            topics: topics.into_iter().collect(),
            source: source.to_owned(),
            changes: Mutex::default(),
        }
    }

    /// The open letters in their order, of one topic or all, behind `after`.
    pub async fn list(
        &self,
        topic: Option<&str>,
        after: Option<&Id>,
        limit: usize,
    ) -> Result<Page, Refused> {
        let limit = limit.clamp(1, LETTERS_MAX);
        let mut page = Page::default();
        for name in &self.topics {
            if topic.is_some_and(|topic| topic != name) {
                continue;
            }
            for place in self.places(name).await? {
                let open = self.open(&place).await?;
                for offset in open.into_keys() {
                    let id = place.id(offset);
                    if after.is_some_and(|after| id <= *after) {
                        continue;
                    }
                    if page.items.len() == limit {
                        page.next_cursor = page.items.last().map(|letter| letter.id.clone());
                        return Ok(page);
                    }
                    if let Some(received) = self.received(&id).await? {
                        page.items.extend(Letter::of(id, &received.record));
                    }
                }
            }
        }
        Ok(page)
    }

    /// An open letter, with its payload.
    pub async fn find(&self, id: &Id) -> Result<Letter, Refused> {
        let (_, received) = self.look(id).await?;
        let record = received.record;
        let mut letter = Letter::of(id.clone(), &record).ok_or(Refused::Unknown)?;
        // What is no JSON is shown as text.
        let data = record.event.data;
        letter.data = Some(serde_json::from_str(&data).unwrap_or(Value::String(data)));
        Ok(letter)
    }

    /// Publishes the event again where it came from, for the group that gave it up.
    pub async fn redrive(&self, id: &Id) -> Result<(), Refused> {
        let _alone = self.changes.lock().await;
        let (open, received) = self.look(id).await?;
        check(&open, id)?;
        self.publish_again(id, received).await
    }

    /// Redrives a topic's open letters, the oldest first, [`LETTERS_MAX`] at most.
    pub async fn redrive_all(&self, topic: &str) -> Result<Redriven, Refused> {
        let _alone = self.changes.lock().await;
        if !self.topics.contains(topic) {
            return Err(Refused::Unknown);
        }
        let mut redriven = Vec::new();
        let mut left = 0;
        for place in self.places(topic).await? {
            let open = self.open(&place).await?;
            // What follows one that can't be redriven would overtake it.
            let mut held = BTreeSet::new();
            for (offset, owner) in open {
                let id = place.id(offset);
                let may =
                    redriven.len() < LETTERS_MAX && !owner.is_malformed && !held.contains(&owner);
                let outcome = match self.received(&id).await? {
                    Some(received) if may => self.publish_again(&id, received).await,
                    Some(_) | None => Err(Refused::Homeless),
                };
                match outcome {
                    Ok(()) => redriven.push(id),
                    Err(error @ Refused::Broker(_)) => return Err(error),
                    Err(_) => {
                        left += 1;
                        held.insert(owner);
                    }
                }
            }
        }
        Ok(Redriven {
            redriven,
            open: left,
        })
    }

    /// Nobody is to handle it any more.
    pub async fn discard(&self, id: &Id) -> Result<(), Refused> {
        let _alone = self.changes.lock().await;
        let (_, received) = self.look(id).await?;
        self.resolve(id, &received.record, Resolved::Discarded)
            .await
    }

    /// Published first: should the host die before the second step, it is redriven once more.
    async fn publish_again(&self, id: &Id, received: Received) -> Result<(), Refused> {
        let DeadLetter {
            group,
            topic,
            partition,
            ..
        } = received
            .record
            .dead_letter
            .clone()
            .ok_or(Refused::Unknown)?;
        let again = Outgoing {
            topic,
            partition: Some(partition),
            record: Record {
                dead_letter: None,
                only_for: Some(group),
                ..received.record.clone()
            },
        };
        match self.broker.publish(&[again]).await {
            Ok(()) => {}
            Err(Error::UnknownTopic(_)) => return Err(Refused::Homeless),
            Err(error) => return Err(Refused::Broker(error)),
        }
        self.resolve(id, &received.record, Resolved::Redriven).await
    }

    /// Writes down what became of a letter.
    async fn resolve(&self, id: &Id, record: &Record, outcome: Resolved) -> Result<(), Refused> {
        let mut event = record.event.clone();
        event.kind = RESOLVED_KIND.to_owned();
        event.data = NO_DATA.to_owned();
        let time_ms = clock::now().timestamp_millis().unsigned_abs();
        let resolution = Outgoing {
            topic: dead_letter_topic(&id.topic),
            partition: Some(id.partition),
            record: Record {
                resolution: Some(Resolution {
                    outcome,
                    offset: id.offset,
                }),
                ..Record::new(clock::id(), self.source.clone(), time_ms, event)
            },
        };
        self.broker
            .publish(&[resolution])
            .await
            .map_err(Refused::from)
    }

    /// An open letter, and those that are open beside it.
    async fn look(&self, id: &Id) -> Result<(Open, Received), Refused> {
        if !self.topics.contains(&id.topic) {
            return Err(Refused::Unknown);
        }
        let places = self.places(&id.topic).await?;
        let mut places = places.iter();
        let place = places.find(|place| place.partition == id.partition);
        let open = self.open(place.ok_or(Refused::Unknown)?).await?;
        if !open.contains_key(&id.offset) {
            return Err(Refused::Unknown);
        }
        let received = self.received(id).await?.ok_or(Refused::Unknown)?;
        Ok((open, received))
    }

    async fn places(&self, topic: &str) -> Result<Vec<Place>, Refused> {
        let extents = self.broker.extent(&dead_letter_topic(topic)).await?;
        let place = |extent: Extent| Place {
            topic: topic.to_owned(),
            partition: extent.partition,
            start: extent.start,
        };
        Ok(extents.into_iter().map(place).collect())
    }

    async fn open(&self, place: &Place) -> Result<Open, Refused> {
        let topic = dead_letter_topic(&place.topic);
        let mut open = Open::new();
        let mut from = place.start;
        let mut scanned = 0;
        while scanned < SCANNED_MAX {
            let read = self.broker.read(&topic, place.partition, from, READ_MAX);
            let records = read.await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            scanned += records.len();
            let is_all = records.len() < READ_MAX;
            records
                .into_iter()
                .for_each(|record| fold(&mut open, record));
            if is_all {
                break;
            }
        }
        Ok(open)
    }

    async fn received(&self, id: &Id) -> Result<Option<Received>, Refused> {
        let topic = dead_letter_topic(&id.topic);
        let read = self.broker.read(&topic, id.partition, id.offset, 1);
        let first = read.await?.into_iter().next();
        Ok(first.filter(|received| received.offset == id.offset))
    }
}

/// A partition of a topic's dead letters.
struct Place {
    topic: String,
    partition: u32,
    start: u64,
}

impl Place {
    fn id(&self, offset: u64) -> Id {
        Id {
            topic: self.topic.clone(),
            partition: self.partition,
            offset,
        }
    }
}

fn fold(open: &mut Open, received: Received) {
    if let Some(resolution) = received.record.resolution {
        open.remove(&resolution.offset);
    } else if let Some(letter) = received.record.dead_letter {
        let owner = Owner {
            group: letter.group,
            key: received.record.event.key,
            is_malformed: letter.attempts == 0,
        };
        open.insert(received.offset, owner);
    }
}

/// Whether an open letter may be redriven.
fn check(open: &Open, id: &Id) -> Result<(), Refused> {
    let owner = open.get(&id.offset).ok_or(Refused::Unknown)?;
    if owner.is_malformed {
        return Err(Refused::Malformed);
    }
    let is_before = |(_, other): &(&u64, &Owner)| *other == owner;
    match open.range(..id.offset).find(is_before) {
        Some((offset, _)) => Err(Refused::Earlier(Id {
            offset: *offset,
            ..id.clone()
        })),
        None => Ok(()),
    }
}

impl Letter {
    /// None for what is no letter.
    fn of(id: Id, record: &Record) -> Option<Self> {
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
            data: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(group: &str, key: &str) -> Owner {
        Owner {
            group: group.to_owned(),
            key: key.to_owned(),
            is_malformed: false,
        }
    }

    fn id(offset: u64) -> Id {
        Id {
            topic: "facts".to_owned(),
            partition: 0,
            offset,
        }
    }

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

    #[test]
    fn a_letter_waits_for_an_earlier_one_of_its_key_and_group_only() {
        let open = Open::from([
            (1, owner("a", "lamp")),
            (2, owner("b", "lamp")),
            (3, owner("a", "fan")),
            (4, owner("a", "lamp")),
        ]);
        for first in [1, 2, 3] {
            assert!(check(&open, &id(first)).is_ok());
        }
        let refused = check(&open, &id(4)).unwrap_err();
        assert!(matches!(refused, Refused::Earlier(earlier) if earlier == id(1)));
        assert!(matches!(check(&open, &id(5)), Err(Refused::Unknown)));
    }
}
