//! What hosts say in their logs that they lost. A lease or a session may also end by itself, on a
//! machine that is busy.

use crate::manifest::Component;

/// What a host says whenever it stops handling what others may have by then.
const SAYS: &str = "delivered again";
const LEVEL: &str = " WARN ";

/// A host warns of each partition: what it loses within this it lost together.
const TOGETHER_MS: u64 = 2_000;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub host: String,
    /// When it was written, as PostgreSQL reads it.
    pub written: String,
    /// Whose partitions; without it everybody's.
    pub group: Option<String>,
}

/// What it is about, in the time of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub host: String,
    pub at_ms: u64,
    pub group: Option<String>,
}

/// The warnings of a host's log.
pub fn warnings(host: &str, log: &str) -> Vec<Warning> {
    let lines = log
        .lines()
        .filter(|line| line.contains(LEVEL) && line.contains(SAYS));
    lines
        .map(|line| Warning {
            host: host.to_owned(),
            written: line.split(' ').next().unwrap_or_default().to_owned(),
            group: group(line).map(str::to_owned),
        })
        .collect()
}

/// What was lost of a component's partitions, each loss once.
pub fn of(component: Component, losses: &[Loss]) -> Vec<Loss> {
    let concerns = |loss: &&Loss| {
        let group = loss.group.as_deref();
        group.is_none_or(|group| group == component.group())
    };
    let mut own: Vec<Loss> = losses.iter().filter(concerns).cloned().collect();
    own.sort_unstable_by(|a, b| (&a.host, a.at_ms).cmp(&(&b.host, b.at_ms)));
    own.dedup_by(|next, first| next.host == first.host && next.at_ms - first.at_ms < TOGETHER_MS);
    own
}

fn group(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" group=\"")?;
    rest.split_once('"').map(|(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
praxis serves http://127.0.0.1:4000
2026-01-01T00:00:01.000001Z  WARN praxis_host::triggers::kafka::reader: a partition was lost: what \
was being handled is dropped, and delivered again group=\"faults.recorder\" event.partition=3
2026-01-01T00:00:01.500000Z  WARN praxis_host::triggers::kafka::delivery: an event will be tried \
again reason=\"as it was told to\"
2026-01-01T00:00:02.000000Z  WARN praxis_host::capabilities::events: left a group while events were \
being handled: they will be delivered again
";

    #[test]
    fn a_log_tells_what_was_lost_and_whose_it_was() {
        let found = warnings("host-1", LOG);
        let found: Vec<_> = found
            .iter()
            .map(|warning| (&warning.written[..], warning.group.as_deref()))
            .collect();
        let expected = [
            ("2026-01-01T00:00:01.000001Z", Some("faults.recorder")),
            ("2026-01-01T00:00:02.000000Z", None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn partitions_that_are_lost_together_are_one_loss() {
        let loss = |host: &str, at_ms, component: Option<Component>| Loss {
            host: host.to_owned(),
            at_ms,
            group: component.map(|component| component.group().to_owned()),
        };
        let losses = [
            loss("host-1", 100, Some(Component::Recorder)),
            loss("host-2", 150, Some(Component::Recorder)),
            loss("host-1", 200, Some(Component::Recorder)),
            loss("host-1", 300, Some(Component::Batcher)),
            loss("host-1", 5_000, None),
        ];
        let of = |component| {
            let found = of(component, &losses).into_iter();
            let found = found.map(|loss| (loss.host, loss.at_ms));
            found.collect::<Vec<_>>()
        };
        let expected = [("host-1", 100), ("host-1", 5_000), ("host-2", 150)];
        let expected = expected.map(|(host, at_ms)| (host.to_owned(), at_ms));
        assert_eq!(of(Component::Recorder), expected);
        assert_eq!(of(Component::Batcher).len(), 2);
    }
}
