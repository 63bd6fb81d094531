//! What was injected and what was found, for people and for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use uuid::Uuid;

use crate::checker::{Findings, Violation};
use crate::run::{Adapter, Broken, Options};

/// Violations that are printed; the JSON has all.
const VIOLATIONS_SHOWN_MAX: usize = 20;

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub adapter: Adapter,
    #[serde(flatten)]
    pub options: Setting,
    /// From the first event to the last one's end.
    pub seconds: f64,
    pub events_per_second: f64,
    /// Tells the plan from others: the same for the same seed and sizes.
    pub plan: Uuid,
    pub injected: Vec<Injection>,
    pub found: Vec<Found>,
    /// Of the whole application.
    pub violations: Vec<Violation>,
}

/// What was found of a component.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    pub component: &'static str,
    /// How often a host said that it lost partitions, whoever was to blame.
    pub losses: usize,
    #[serde(flatten)]
    pub findings: Findings,
}

/// The options, as the report shows them.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    pub events: usize,
    pub keys: usize,
    pub hosts: usize,
    pub seed: u64,
    pub broken: Option<Broken>,
}

/// What was done to hosts or servers.
#[derive(Debug, Clone, Serialize)]
pub struct Injection {
    /// Since the first event.
    pub at_ms: u64,
    /// Events that had had their effect.
    pub handled: u64,
    pub what: String,
    pub outcome: Option<String>,
    /// Deliveries of events that had had their effect, until the next injection.
    pub redelivered: u64,
}

impl From<&Options> for Setting {
    fn from(options: &Options) -> Self {
        Self {
            events: options.events,
            keys: options.keys,
            hosts: options.hosts,
            seed: options.seed,
            broken: options.broken,
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Setting {
            events,
            keys,
            hosts,
            seed,
            broken,
        } = &self.options;
        write!(
            f,
            "{:?}: {events} events, {keys} keys, {hosts} hosts, seed {seed} (plan {})",
            self.adapter, self.plan
        )?;
        match broken {
            Some(broken) => writeln!(f, ", a broken consumer ({broken:?})")?,
            None => writeln!(f)?,
        }
        writeln!(f, "injected")?;
        for injection in &self.injected {
            writeln!(
                f,
                "  {:>6.1} s {:>7} handled  {}",
                injection.at_ms as f64 / 1_000.0,
                injection.handled,
                injection.what
            )?;
            if let Some(outcome) = &injection.outcome {
                writeln!(f, "{:28}{outcome}", "")?;
            }
            if injection.redelivered > 0 {
                writeln!(f, "{:28}delivered again: {}", "", injection.redelivered)?;
            }
        }
        for found in &self.found {
            found.injected(f)?;
        }
        writeln!(f, "found")?;
        for found in &self.found {
            found.found(f)?;
        }
        writeln!(
            f,
            "  {:.1} s, {:.0} events/s",
            self.seconds, self.events_per_second
        )?;
        let violations: Vec<_> = self.violations().collect();
        if violations.is_empty() {
            return writeln!(
                f,
                "  nothing lost, nothing twice, nothing out of order, no lag"
            );
        }
        writeln!(f, "  VIOLATIONS: {}", violations.len())?;
        for (component, violation) in violations.into_iter().take(VIOLATIONS_SHOWN_MAX) {
            writeln!(f, "  {component}: {violation}")?;
        }
        Ok(())
    }
}

impl Report {
    /// All of them, and whose they are.
    pub fn violations(&self) -> impl Iterator<Item = (&'static str, &Violation)> {
        let common = self.violations.iter().map(|violation| ("all", violation));
        let found = self.found.iter().flat_map(|found| {
            let violations = found.findings.violations.iter();
            violations.map(|violation| (found.component, violation))
        });
        common.chain(found)
    }
}

impl Found {
    fn injected(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mishaps = self.findings.mishaps.iter();
        let mishaps: Vec<_> = mishaps
            .map(|(step, times)| format!("{step} {times}"))
            .collect();
        writeln!(f, "  by the {}: {}", self.component, mishaps.join(", "))
    }

    fn found(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let findings = &self.findings;
        writeln!(
            f,
            "  {}: {} effects, {} of them redriven; {} dead letters; {} replayed",
            self.component,
            findings.effects,
            findings.redriven,
            findings.dead_letters,
            findings.replayed,
        )?;
        let redeliveries = &findings.redeliveries;
        writeln!(
            f,
            "    hosts lost partitions and said so: {} times",
            self.losses
        )?;
        writeln!(
            f,
            "    again without harm: {} deliveries (at most {}), of one event {} (at most {}); {} dead letters",
            redeliveries.events,
            redeliveries.events_max,
            redeliveries.of_one,
            redeliveries.of_one_max,
            findings.letters_again,
        )?;
        if findings.follow_ups > 0 {
            writeln!(
                f,
                "    published for these: {} events, {} of them again",
                findings.follow_ups, findings.follow_ups_again,
            )?;
        }
        Ok(())
    }
}
