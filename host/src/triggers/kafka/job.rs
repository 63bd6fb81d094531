//! An event on its way to a component: what is delivered, and what it has been through.

use std::time::Duration;

use uuid::Uuid;

use super::schedule::Key;
use super::watch::Shown;
use super::{Group, Pace};
use crate::capabilities::events::{DeadLetter, Header, Received, Record, Tried};
use crate::runtime::consumer::Delivery;
use crate::triggers::backoff::backoff;

/// A reason is kept with the dead letter, in a header.
const REASON_BYTES_MAX: usize = 1_024;

/// The payload of a letter whose own was cut.
const NO_DATA: &str = "{}";

/// What an event takes up beside its text.
const BYTES: usize = 1_024;

/// After as many the pauses are as long as they get, whatever the first one was.
const DOUBLINGS_MAX: u32 = 32;

/// An event from when it was read until it is finished.
pub struct Job {
    /// What the component gets; its `attempt` is the one that is made now, or was made last.
    pub delivery: Delivery,
    pub id: Uuid,
    /// What else came with it.
    others: Vec<Header>,
    /// What keeps it from being an event of ours, if anything: no component is to see it.
    pub malformed: Option<String>,
    /// Tries that ended in a trap or in no time left, here and at the members before.
    pub faults: u32,
    /// The mark of the replay that reads it again, if one does.
    pub replayed: Option<u64>,
}

impl Job {
    /// `before` is how often the members before have tried it.
    pub fn new(received: Received, before: Tried) -> Self {
        let record = received.record;
        Self {
            id: record.id,
            others: record.others,
            malformed: received.malformed,
            faults: before.faults,
            replayed: None,
            delivery: Delivery {
                id: record.id.to_string(),
                source: record.source,
                time_ms: record.time_ms,
                topic: received.topic,
                partition: received.partition,
                offset: received.offset,
                attempt: before.times.saturating_add(1),
                traceparent: record.traceparent,
                event: record.event,
            },
        }
    }

    /// How often it was tried, once the try that is made now has ended.
    pub fn tried(&self) -> Tried {
        Tried {
            times: self.delivery.attempt,
            faults: self.faults,
        }
    }

    /// Why no component is to see it, if so, and how many tries there were.
    pub fn hopeless(&self, shown: &Shown) -> Option<(u32, String)> {
        if let Some(fault) = &self.malformed {
            return Some((0, fault.clone()));
        }
        // Nobody knows of it before it has failed.
        let tries = self.delivery.attempt - 1;
        let (key, offset) = (Key::of(&self.delivery.event.key), self.delivery.offset);
        let reason = (tries > 0).then(|| shown.skipped(key, offset)).flatten()?;
        Some((tries, format!("an operator skipped it; {reason}")))
    }

    /// About what it takes up while it is held.
    pub fn bytes(&self) -> usize {
        let others = self.others.iter().map(Header::bytes);
        BYTES + self.delivery.event.data.len() + others.sum::<usize>()
    }

    /// How long to wait before it is tried again.
    pub fn pause(&self, pace: Pace) -> Duration {
        let mut pauses = backoff(pace.first_ms, pace.ms_max);
        for _ in 1..self.delivery.attempt.min(DOUBLINGS_MAX) {
            pauses();
        }
        pauses()
    }

    /// The record as it was read, with the reason why it is given up on.
    pub fn letter(&self, group: &Group, version: String, attempts: u32, reason: &str) -> Record {
        let delivery = &self.delivery;
        let (source, event) = (delivery.source.clone(), delivery.event.clone());
        Record {
            traceparent: delivery.traceparent.clone(),
            others: self.others.clone(),
            dead_letter: Some(DeadLetter {
                // No header holds a line break, and no database a zero byte.
                reason: brief(reason).replace(char::is_control, " "),
                attempts,
                group: group.name.clone(),
                component: group.component.clone(),
                version,
                topic: delivery.topic.clone(),
                partition: delivery.partition,
                offset: delivery.offset,
                cut_bytes: None,
            }),
            ..Record::new(self.id, source, delivery.time_ms, event)
        }
    }
}

/// The letter without its payload and foreign headers, for a broker that does not take it whole.
pub fn cut(mut letter: Record) -> Record {
    letter.others.clear();
    let data = std::mem::replace(&mut letter.event.data, NO_DATA.to_owned());
    if let Some(dead) = &mut letter.dead_letter {
        dead.cut_bytes = u64::try_from(data.len()).ok();
    }
    letter
}

/// As much of a reason as is kept.
pub fn brief(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}
