//! The dead letters of an application: which are open, and what becomes of them.
//!
//! `<topic>.dlq` is a log: letters, and further on what became of them. The open ones are what is
//! left when both are read together, so that every host sees the same and none keeps a list.

mod fold;
mod letter;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::capabilities::events::{
    Broker, DeadLetter, Error, Outgoing, Received, Record, Resolution, Resolved, dead_letter_topic,
};
use crate::clock;
use fold::{Fold, Known, Owner};
pub use letter::{Id, Letter, Page, Redriven, Refused};

/// Letters on one page, and letters that one call redrives.
pub const LETTERS_MAX: usize = 100;
/// Records that are read at once.
const READ_MAX: usize = 500;
/// A resolution is no event: its payload says nothing.
const NO_DATA: &str = "{}";
const RESOLVED_KIND: &str = "DeadLetterResolved";

/// The dead letters of some topics.
pub struct DeadLetters {
    broker: Arc<dyn Broker>,
    /// The groups that read each topic.
    readers: BTreeMap<String, BTreeSet<String>>,
    /// The CloudEvents source of what this writes.
    source: String,
    /// What is known of each partition, so that only what is new is read.
    folds: Mutex<BTreeMap<Place, Fold>>,
    /// One change at a time: what is decided on is still so when it is written. Another host may
    /// be at it as well; then a letter is redriven twice, which its handler takes as a redelivery.
    changes: Mutex<()>,
}

/// A partition of a topic's dead letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The topic that the letters came from.
    topic: String,
    partition: u32,
}

impl DeadLetters {
    /// `readers` are the groups that read each topic; topics that nobody reads are among them.
    pub fn new(
        broker: Arc<dyn Broker>,
        readers: BTreeMap<String, BTreeSet<String>>,
        source: &str,
    ) -> Self {
        Self {
            broker,
            readers,
            source: source.to_owned(),
            folds: Mutex::default(),
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
        for name in self.readers.keys() {
            if topic.is_some_and(|topic| topic != name) {
                continue;
            }
            for place in self.places(name).await? {
                for offset in self.open(&place).await? {
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
        let record = self.look(id, |_, _| Ok(())).await?.record;
        let mut letter = Letter::of(id.clone(), &record).ok_or(Refused::Unknown)?;
        // What is no JSON is shown as text.
        let data = record.event.data;
        letter.data = Some(serde_json::from_str(&data).unwrap_or(Value::String(data)));
        Ok(letter)
    }

    /// Publishes the event again where it came from, for the group that gave it up.
    pub async fn redrive(&self, id: &Id) -> Result<(), Refused> {
        let _alone = self.changes.lock().await;
        let check = |fold: &Fold, letter: Known<'_>| {
            self.check(&id.topic, letter)?;
            match fold.before(letter) {
                Some(offset) => Err(Refused::Earlier(Id {
                    offset,
                    ..id.clone()
                })),
                None => Ok(()),
            }
        };
        let received = self.look(id, check).await?;
        self.publish_again(id, received).await
    }

    /// Redrives a topic's open letters, the oldest first, [`LETTERS_MAX`] at most.
    pub async fn redrive_all(&self, topic: &str) -> Result<Redriven, Refused> {
        let _alone = self.changes.lock().await;
        if !self.readers.contains_key(topic) {
            return Err(Refused::Unknown);
        }
        let mut done = Redriven::default();
        for place in self.places(topic).await? {
            let open = self.open(&place).await?;
            let ready = self.ready(&place, LETTERS_MAX - done.redriven.len()).await;
            // What follows one that can't be redriven would overtake it.
            let mut held = BTreeSet::new();
            let mut redriven = 0;
            for (offset, owner) in ready {
                if held.contains(&owner) {
                    continue;
                }
                let id = place.id(offset);
                let outcome = match self.received(&id).await? {
                    Some(received) => self.publish_again(&id, received).await,
                    None => Err(Refused::Unknown),
                };
                match outcome {
                    Ok(()) => {
                        redriven += 1;
                        done.redriven.push(id);
                    }
                    Err(error @ Refused::Broker(_)) => return Err(error),
                    Err(_) => {
                        held.insert(owner);
                    }
                }
            }
            done.open += open.len() - redriven;
        }
        Ok(done)
    }

    /// The first letters of a partition that may be redriven in this order, of which it was read
    /// just now what is open.
    async fn ready(&self, place: &Place, letters_max: usize) -> Vec<(u64, Owner)> {
        let folds = self.folds.lock().await;
        let mut ready = Vec::new();
        let mut held = BTreeSet::new();
        for letter in folds.get(place).into_iter().flat_map(Fold::letters) {
            if ready.len() == letters_max {
                break;
            }
            if self.check(&place.topic, letter).is_err() {
                held.insert(letter.owner);
            } else if !held.contains(letter.owner) {
                ready.push((letter.offset, letter.owner.clone()));
            }
        }
        ready
    }

    /// Whether anybody would handle it.
    fn check(&self, topic: &str, letter: Known<'_>) -> Result<(), Refused> {
        if !letter.is_event {
            return Err(Refused::Malformed);
        }
        let group = &letter.owner.group;
        let readers = self.readers.get(topic);
        if readers.is_some_and(|groups| groups.contains(group)) {
            Ok(())
        } else {
            Err(Refused::Unread(group.clone()))
        }
    }

    /// Nobody is to handle it any more.
    pub async fn discard(&self, id: &Id) -> Result<(), Refused> {
        let _alone = self.changes.lock().await;
        let received = self.look(id, |_, _| Ok(())).await?;
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
            Err(error @ Error::Refused(_)) => return Err(Refused::Unwanted(error)),
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

    /// An open letter that passes the check.
    async fn look(
        &self,
        id: &Id,
        check: impl Fn(&Fold, Known<'_>) -> Result<(), Refused>,
    ) -> Result<Received, Refused> {
        if !self.readers.contains_key(&id.topic) {
            return Err(Refused::Unknown);
        }
        let place = Place {
            topic: id.topic.clone(),
            partition: id.partition,
        };
        if !self.places(&id.topic).await?.contains(&place) {
            return Err(Refused::Unknown);
        }
        self.open(&place).await?;
        {
            let folds = self.folds.lock().await;
            let fold = folds.get(&place).ok_or(Refused::Unknown)?;
            check(fold, fold.find(id.offset).ok_or(Refused::Unknown)?)?;
        }
        self.received(id).await?.ok_or(Refused::Unknown)
    }

    /// The partitions, with what is too old forgotten.
    async fn places(&self, topic: &str) -> Result<Vec<Place>, Refused> {
        let extents = self.broker.extent(&dead_letter_topic(topic)).await?;
        let mut folds = self.folds.lock().await;
        let mut places = Vec::new();
        for extent in extents {
            let place = Place {
                topic: topic.to_owned(),
                partition: extent.partition,
            };
            let fold = folds.entry(place.clone()).or_default();
            if fold.has_gaps() || extent.end < fold.next {
                // Or the topic was made anew.
                *fold = Fold::default();
            }
            fold.forget_before(extent.start);
            places.push(place);
        }
        Ok(places)
    }

    /// The open letters of a partition, up to its end.
    async fn open(&self, place: &Place) -> Result<Vec<u64>, Refused> {
        let topic = dead_letter_topic(&place.topic);
        let mut folds = self.folds.lock().await;
        let fold = folds.entry(place.clone()).or_default();
        loop {
            let read = self
                .broker
                .read(&topic, place.partition, fold.next, READ_MAX);
            let records = read.await?;
            let is_all = records.len() < READ_MAX;
            records.into_iter().for_each(|record| fold.read(record));
            if is_all {
                return Ok(fold.letters().map(|letter| letter.offset).collect());
            }
        }
    }

    async fn received(&self, id: &Id) -> Result<Option<Received>, Refused> {
        let topic = dead_letter_topic(&id.topic);
        let read = self.broker.read(&topic, id.partition, id.offset, 1);
        let first = read.await?.into_iter().next();
        Ok(first.filter(|received| received.offset == id.offset))
    }
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
