//! What a log keeps: an event with what is known about it.

use uuid::Uuid;

/// What a record that asks for a replay says it is.
const REPLAY_KIND: &str = "ReplayRequested";

/// An event on its way to a component, or from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub key: String,
    pub stream_version: u64,
    /// UTF-8 JSON.
    pub data: String,
}

/// What a handler published, kept until it is known to have succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub topic: String,
    pub event: Event,
}

/// A fact as the log keeps it: CloudEvents 1.0, binary mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The same however often it is published or delivered.
    pub id: Uuid,
    /// Who says so: a component's id, or the application's name.
    pub source: String,
    /// When it happened, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// W3C trace context.
    pub traceparent: Option<String>,
    pub event: Event,
    /// Why it lies among the dead letters, if it does.
    pub dead_letter: Option<DeadLetter>,
    /// What became of an earlier dead letter, if this says so.
    pub resolution: Option<Resolution>,
    /// No event, but a request to a group to read what lies before it again.
    pub replay: Option<Replay>,
    /// The one group that is to handle it: others skip it.
    pub only_for: Option<String>,
    /// What else came with it, in its order: kept with a dead letter, and when that is redriven.
    pub others: Vec<Header>,
}

/// A header that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    /// Of any kind, and in Kafka there may be none.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// An event, and nothing more about it.
    pub fn new(id: Uuid, source: String, time_ms: u64, event: Event) -> Self {
        Self {
            id,
            source,
            time_ms,
            traceparent: None,
            event,
            dead_letter: None,
            resolution: None,
            replay: None,
            only_for: None,
            others: Vec::new(),
        }
    }

    /// What asks a group to read a partition again. Publish it to that partition.
    pub fn replay(id: Uuid, source: String, time_ms: u64, replay: Replay) -> Self {
        let event = Event {
            kind: REPLAY_KIND.to_owned(),
            key: replay.group.clone(),
            stream_version: 0,
            data: "{}".to_owned(),
        };
        Self {
            replay: Some(replay),
            ..Self::new(id, source, time_ms, event)
        }
    }
}

impl Header {
    /// About what it takes up.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Why an event was given up on, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// For operators.
    pub reason: String,
    pub attempts: u32,
    /// The group that did not handle it.
    pub group: String,
    /// The component that did not handle it.
    pub component: String,
    /// The component's version.
    pub version: String,
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    /// How long the payload was, if the broker did not take the letter with it: it has none.
    pub cut_bytes: Option<u64>,
}

/// What became of the dead letter at `offset` of the partition that this lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    pub outcome: Resolved,
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Published again where it came from.
    Redriven,
    /// Nobody is to handle it any more.
    Discarded,
}

/// A request to read a partition again, from `from` up to the record that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// As the manifest names it, without the prefix.
    pub group: String,
    pub from: u64,
}

/// A record on its way to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// As the manifest names it, without the prefix.
    pub topic: String,
    /// Where it is to lie; the key decides if nobody else does.
    pub partition: Option<u32>,
    pub record: Record,
}

/// A record that was read, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    pub record: Record,
    /// What keeps it from being an event of ours, if anything: no component is to see it. The
    /// record then holds what could be read.
    pub malformed: Option<String>,
}
