//! A record as headers and payload: CloudEvents 1.0 in Kafka's binary mode
//! (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).

use chrono::{DateTime, SecondsFormat};
use uuid::Uuid;

use super::{DeadLetter, Event, Header, Received, Record, Replay, Resolution, Resolved};

const SPEC_VERSION: (&str, &str) = ("ce_specversion", "1.0");
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/json");

/// What the headers of a record may take up that mean nothing here; the last ones are left off.
const OTHERS_BYTES_MAX: usize = 16 * 1024;

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

/// The headers of a record that mean something here, in the order in which they are written; its
/// others follow.
pub fn headers(record: &Record) -> Vec<(&'static str, String)> {
    let has_other = |name: &str| record.others.iter().any(|other| other.name == name);
    let mut headers: Vec<_> = [SPEC_VERSION, CONTENT_TYPE]
        .into_iter()
        .filter(|(name, _)| !has_other(name))
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    headers.extend([
        ("ce_id", record.id.to_string()),
        ("ce_source", record.source.clone()),
        ("ce_type", record.event.kind.clone()),
        ("ce_time", rfc3339(record.time_ms)),
        ("ce_streamversion", record.event.stream_version.to_string()),
    ]);
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
    headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
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
        others: found.others,
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
    others: Vec<Header>,
}

impl<'a> Found<'a> {
    fn collect(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut found = Self::default();
        let mut left = OTHERS_BYTES_MAX;
        for (name, value) in headers {
            let text = value.and_then(|value| std::str::from_utf8(value).ok());
            if text.is_some_and(|text| found.takes(name, text)) {
                continue;
            }
            let other = Header {
                name: name.to_owned(),
                value: value.map(<[u8]>::to_vec),
            };
            left = left.saturating_sub(other.bytes());
            if left > 0 {
                found.others.push(other);
            }
        }
        found
    }

    /// Whether it means something.
    fn takes(&mut self, name: &str, value: &'a str) -> bool {
        let place = match name {
            "ce_id" => &mut self.id,
            "ce_source" => &mut self.source,
            "ce_type" => &mut self.kind,
            "ce_time" => &mut self.time,
            "ce_streamversion" => &mut self.stream_version,
            "traceparent" => &mut self.traceparent,
            "deadletter-reason" => &mut self.reason,
            "deadletter-attempts" => &mut self.attempts,
            "deadletter-group" => &mut self.group,
            "deadletter-component" => &mut self.component,
            "deadletter-version" => &mut self.version,
            "deadletter-topic" => &mut self.topic,
            "deadletter-partition" => &mut self.partition,
            "deadletter-offset" => &mut self.offset,
            "deadletter-cut-bytes" => &mut self.cut_bytes,
            "deadletter-resolution" => &mut self.resolution,
            "deadletter-resolves" => &mut self.resolves,
            "praxis-replay-group" => &mut self.replay_group,
            "praxis-replay-from" => &mut self.replay_from,
            "praxis-only-for" => &mut self.only_for,
            // Said of every record, so that only something else is worth keeping.
            _ => return [SPEC_VERSION, CONTENT_TYPE].contains(&(name, value)),
        };
        *place = Some(value);
        true
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
            others: vec![
                Header {
                    name: "content-type".to_owned(),
                    value: Some(b"application/cloudevents+json".to_vec()),
                },
                Header {
                    name: "colour".to_owned(),
                    value: Some(vec![0xff, 0]),
                },
                Header {
                    name: "colour".to_owned(),
                    value: None,
                },
            ],
            ..Record::new(Uuid::from_u128(5), source, 1_767_225_600_123, event)
        };
        let headers = headers(&record);
        assert!(headers.contains(&("ce_time", "2026-01-01T00:00:00.123Z".to_owned())));
        let found = headers
            .iter()
            .map(|(name, value)| (*name, Some(value.as_bytes())));
        let others = record.others.iter();
        let found = found.chain(others.map(|other| (other.name.as_str(), other.value.as_deref())));
        let read = read(origin(), b"lamp", br#"{"schema":1}"#, found);
        assert_eq!(read.malformed, None);
        assert_eq!(read.record, record);
    }

    #[test]
    fn what_means_nothing_here_is_kept_up_to_a_bound() {
        let long = vec![b'x'; OTHERS_BYTES_MAX / 2];
        let headers = [
            ("a", &long),
            ("b", &vec![b'y']),
            ("c", &long),
            ("d", &vec![]),
        ];
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, Some(&value[..])));
        let read = read(origin(), b"key", b"{}", headers);
        let names: Vec<_> = read
            .record
            .others
            .iter()
            .map(|other| &other.name[..])
            .collect();
        assert_eq!(names, ["a", "b"], "the last ones are left off");
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
