//! A record as headers and payload: CloudEvents 1.0 in Kafka's binary mode
//! (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).

use chrono::{DateTime, SecondsFormat};
use uuid::Uuid;

use super::{DeadLetter, Event, Received, Record, Replay, Resolution, Resolved};

const REDRIVEN: &str = "redriven";
const DISCARDED: &str = "discarded";

/// Where a record was read, and what is known without its headers.
pub struct Origin {
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    /// When the broker got it.
    pub published_ms: u64,
}

/// The headers of a record, in the order in which they are written.
pub fn headers(record: &Record) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", record.id.to_string()),
        ("ce_source", record.source.clone()),
        ("ce_type", record.event.kind.clone()),
        ("ce_time", rfc3339(record.time_ms)),
        ("ce_streamversion", record.event.stream_version.to_string()),
        ("content-type", "application/json".to_owned()),
    ];
    if let Some(traceparent) = &record.traceparent {
        headers.push(("traceparent", traceparent.clone()));
    }
    if let Some(dead) = &record.dead_letter {
        headers.extend([
            ("deadletter-reason", dead.reason.clone()),
            ("deadletter-attempts", dead.attempts.to_string()),
            ("deadletter-group", dead.group.clone()),
            ("deadletter-component", dead.component.clone()),
            ("deadletter-version", dead.version.clone()),
            ("deadletter-topic", dead.topic.clone()),
            ("deadletter-partition", dead.partition.to_string()),
            ("deadletter-offset", dead.offset.to_string()),
        ]);
        let cut = dead.cut_bytes;
        headers.extend(cut.map(|bytes| ("deadletter-cut-bytes", bytes.to_string())));
    }
    if let Some(resolution) = &record.resolution {
        let outcome = match resolution.outcome {
            Resolved::Redriven => REDRIVEN,
            Resolved::Discarded => DISCARDED,
        };
        headers.extend([
            ("deadletter-resolution", outcome.to_owned()),
            ("deadletter-resolves", resolution.offset.to_string()),
        ]);
    }
    if let Some(replay) = &record.replay {
        headers.extend([
            ("praxis-replay-group", replay.group.clone()),
            ("praxis-replay-from", replay.from.to_string()),
        ]);
    }
    if let Some(group) = &record.only_for {
        headers.push(("praxis-only-for", group.clone()));
    }
    headers
}

/// Reads a record, whoever wrote it: what is missing or wrong makes it malformed, not lost.
pub fn read<'a>(
    origin: Origin,
    key: &[u8],
    data: &[u8],
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Received {
    let found = Found::collect(headers);
    let mut malformed = None;
    let mut fault = |fault: &str| {
        malformed.get_or_insert_with(|| fault.to_owned());
    };
    let id = match found.id {
        // Any string may be an id elsewhere: the same string gives the same id here.
        Some(id) => Uuid::parse_str(id).unwrap_or_else(|_| derived(id)),
        None => {
            fault("it has no ce_id");
            derived(&format!(
                "{}/{}/{}",
                origin.topic, origin.partition, origin.offset
            ))
        }
    };
    let kind = found.kind.unwrap_or_else(|| {
        fault("it has no ce_type");
        ""
    });
    let mut text = |bytes: &[u8], what: &str| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            fault(what);
            String::from_utf8_lossy(bytes).into_owned()
        }
    };
    let event = Event {
        kind: kind.to_owned(),
        key: text(key, "its key is not UTF-8"),
        stream_version: number(found.stream_version).unwrap_or(0),
        data: text(data, "its payload is not UTF-8"),
    };
    let time_ms = found
        .time
        .and_then(|time| DateTime::parse_from_rfc3339(time).ok())
        .and_then(|time| u64::try_from(time.timestamp_millis()).ok())
        .unwrap_or(origin.published_ms);
    let source = found.source.unwrap_or_default().to_owned();
    let record = Record {
        traceparent: found.traceparent.map(str::to_owned),
        dead_letter: found.dead_letter(),
        resolution: found.resolution(),
        replay: found.replay(),
        only_for: found.only_for.map(str::to_owned),
        ..Record::new(id, source, time_ms, event)
    };
    Received {
        topic: origin.topic,
        partition: origin.partition,
        offset: origin.offset,
        record,
        malformed,
    }
}

/// The headers that mean something here.
#[derive(Default)]
struct Found<'a> {
    id: Option<&'a str>,
    source: Option<&'a str>,
    kind: Option<&'a str>,
    time: Option<&'a str>,
    stream_version: Option<&'a str>,
    traceparent: Option<&'a str>,
    reason: Option<&'a str>,
    attempts: Option<&'a str>,
    group: Option<&'a str>,
    component: Option<&'a str>,
    version: Option<&'a str>,
    topic: Option<&'a str>,
    partition: Option<&'a str>,
    offset: Option<&'a str>,
    cut_bytes: Option<&'a str>,
    resolution: Option<&'a str>,
    resolves: Option<&'a str>,
    replay_group: Option<&'a str>,
    replay_from: Option<&'a str>,
    only_for: Option<&'a str>,
}

impl<'a> Found<'a> {
    fn collect(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let place = match name {
                "ce_id" => &mut found.id,
                "ce_source" => &mut found.source,
                "ce_type" => &mut found.kind,
                "ce_time" => &mut found.time,
                "ce_streamversion" => &mut found.stream_version,
                "traceparent" => &mut found.traceparent,
                "deadletter-reason" => &mut found.reason,
                "deadletter-attempts" => &mut found.attempts,
                "deadletter-group" => &mut found.group,
                "deadletter-component" => &mut found.component,
                "deadletter-version" => &mut found.version,
                "deadletter-topic" => &mut found.topic,
                "deadletter-partition" => &mut found.partition,
                "deadletter-offset" => &mut found.offset,
                "deadletter-cut-bytes" => &mut found.cut_bytes,
                "deadletter-resolution" => &mut found.resolution,
                "deadletter-resolves" => &mut found.resolves,
                "praxis-replay-group" => &mut found.replay_group,
                "praxis-replay-from" => &mut found.replay_from,
                "praxis-only-for" => &mut found.only_for,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }

    fn dead_letter(&self) -> Option<DeadLetter> {
        Some(DeadLetter {
            reason: self.reason?.to_owned(),
            attempts: number(self.attempts)?,
            group: self.group?.to_owned(),
            component: self.component?.to_owned(),
            version: self.version?.to_owned(),
            topic: self.topic?.to_owned(),
            partition: number(self.partition)?,
            offset: number(self.offset)?,
            cut_bytes: number(self.cut_bytes),
        })
    }

    fn resolution(&self) -> Option<Resolution> {
        let outcome = match self.resolution? {
            REDRIVEN => Resolved::Redriven,
            DISCARDED => Resolved::Discarded,
            _ => return None,
        };
        let offset = number(self.resolves)?;
        Some(Resolution { outcome, offset })
    }

    fn replay(&self) -> Option<Replay> {
        Some(Replay {
            group: self.replay_group?.to_owned(),
            from: number(self.replay_from)?,
        })
    }
}

fn derived(id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

fn rfc3339(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            topic: "facts".to_owned(),
            partition: 3,
            offset: 7,
            published_ms: 1_000,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let event = Event {
            kind: "LightSwitchedOn".to_owned(),
            key: "lamp".to_owned(),
            stream_version: 12,
            data: r#"{"schema":1}"#.to_owned(),
        };
        let source = "tests".to_owned();
        let record = Record {
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            dead_letter: Some(DeadLetter {
                reason: "no bulb".to_owned(),
                attempts: 3,
                group: "home.lights".to_owned(),
                component: "lights".to_owned(),
                version: "2".to_owned(),
                topic: "facts".to_owned(),
                partition: 1,
                offset: 9,
                cut_bytes: Some(70_000),
            }),
            resolution: Some(Resolution {
                outcome: Resolved::Discarded,
                offset: 4,
            }),
            replay: Some(Replay {
                group: "home.lights".to_owned(),
                from: 17,
            }),
            only_for: Some("home.lights".to_owned()),
            ..Record::new(Uuid::from_u128(5), source, 1_767_225_600_123, event)
        };
        let headers = headers(&record);
        assert!(headers.contains(&("ce_time", "2026-01-01T00:00:00.123Z".to_owned())));
        let found = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let read = read(origin(), b"lamp", br#"{"schema":1}"#, found);
        assert_eq!(read.malformed, None);
        assert_eq!(read.record, record);
    }

    #[test]
    fn a_foreign_record_is_malformed_and_keeps_its_id_at_every_reading() {
        let once = read(origin(), b"key", &[0xff], std::iter::empty());
        let again = read(origin(), b"key", &[0xff], std::iter::empty());
        assert_eq!(once, again);
        assert_eq!(once.malformed.as_deref(), Some("it has no ce_id"));
        assert_eq!(once.record.time_ms, 1_000);
    }
}
