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
pub fn read(
    origin: Origin,
    key: &[u8],
    data: &[u8],
    header: impl Fn(&str) -> Option<String>,
) -> Received {
    let mut malformed = None;
    let mut fault = |fault: &str| {
        malformed.get_or_insert_with(|| fault.to_owned());
    };
    let id = header("ce_id").unwrap_or_else(|| {
        fault("it has no ce_id");
        format!("{}/{}/{}", origin.topic, origin.partition, origin.offset)
    });
    let kind = header("ce_type").unwrap_or_else(|| {
        fault("it has no ce_type");
        String::new()
    });
    let text = |bytes: &[u8], what: &str, fault: &mut dyn FnMut(&str)| {
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| {
            fault(what);
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    let key = text(key, "its key is not UTF-8", &mut fault);
    let data = text(data, "its payload is not UTF-8", &mut fault);
    let record = Record {
        // Any string may be an id elsewhere: the same string gives the same id here.
        id: Uuid::parse_str(&id)
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())),
        source: header("ce_source").unwrap_or_default(),
        time_ms: header("ce_time")
            .and_then(|time| DateTime::parse_from_rfc3339(&time).ok())
            .and_then(|time| u64::try_from(time.timestamp_millis()).ok())
            .unwrap_or(origin.published_ms),
        traceparent: header("traceparent"),
        event: Event {
            kind,
            key,
            stream_version: number(&header, "ce_streamversion").unwrap_or(0),
            data,
        },
        dead_letter: dead_letter(&header),
        resolution: resolution(&header),
        replay: replay(&header),
        only_for: header("praxis-only-for"),
    };
    Received {
        topic: origin.topic,
        partition: origin.partition,
        offset: origin.offset,
        record,
        malformed,
    }
}

fn dead_letter(header: &impl Fn(&str) -> Option<String>) -> Option<DeadLetter> {
    Some(DeadLetter {
        reason: header("deadletter-reason")?,
        attempts: number(header, "deadletter-attempts")?,
        group: header("deadletter-group")?,
        component: header("deadletter-component")?,
        version: header("deadletter-version")?,
        topic: header("deadletter-topic")?,
        partition: number(header, "deadletter-partition")?,
        offset: number(header, "deadletter-offset")?,
    })
}

fn resolution(header: &impl Fn(&str) -> Option<String>) -> Option<Resolution> {
    let outcome = match header("deadletter-resolution")?.as_str() {
        REDRIVEN => Resolved::Redriven,
        DISCARDED => Resolved::Discarded,
        _ => return None,
    };
    let offset = number(header, "deadletter-resolves")?;
    Some(Resolution { outcome, offset })
}

fn replay(header: &impl Fn(&str) -> Option<String>) -> Option<Replay> {
    Some(Replay {
        group: header("praxis-replay-group")?,
        from: number(header, "praxis-replay-from")?,
    })
}

fn number<T: std::str::FromStr>(header: &impl Fn(&str) -> Option<String>, name: &str) -> Option<T> {
    header(name)?.parse().ok()
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
    use std::collections::HashMap;

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
        let headers: HashMap<_, _> = headers(&record).into_iter().collect();
        assert_eq!(headers["ce_time"], "2026-01-01T00:00:00.123Z");
        let read = read(origin(), b"lamp", br#"{"schema":1}"#, |name| {
            headers.get(name).cloned()
        });
        assert_eq!(read.malformed, None);
        assert_eq!(read.record, record);
    }

    #[test]
    fn a_foreign_record_is_malformed_and_keeps_its_id_at_every_reading() {
        let once = read(origin(), b"key", &[0xff], |_| None);
        let again = read(origin(), b"key", &[0xff], |_| None);
        assert_eq!(once, again);
        assert_eq!(once.malformed.as_deref(), Some("it has no ce_id"));
        assert_eq!(once.record.time_ms, 1_000);
    }
}
