//! What was injected and what was found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::checker::Findings;
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
    pub injected: Vec<Injection>,
    /// What handlers did on purpose, and how often.
    pub mishaps: BTreeMap<String, u64>,
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
            "{:?}: {events} events, {keys} keys, {hosts} hosts, seed {seed}",
            self.adapter
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
        }
        let mishaps = self
            .mishaps
            .iter()
            .map(|(step, times)| format!("{step} {times}"));
        let mishaps: Vec<_> = mishaps.collect();
        writeln!(f, "  by the handlers: {}", mishaps.join(", "))?;
        self.found(f)
    }
}

impl Report {
    fn found(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let findings = &self.findings;
        writeln!(f, "found")?;
        writeln!(
            f,
            "  {} effects, {} dead letters; delivered again without harm: {}, dead letters {}",
            findings.effects, findings.dead_letters, findings.redeliveries, findings.letters_again
        )?;
        writeln!(
            f,
            "  {:.1} s, {:.0} events/s",
            self.seconds, self.events_per_second
        )?;
        match findings.violations.len() {
            0 => writeln!(
                f,
                "  nothing lost, nothing twice, nothing out of order, no lag"
            ),
            violations => {
                writeln!(f, "  VIOLATIONS: {violations}")?;
                for violation in findings.violations.iter().take(VIOLATIONS_SHOWN_MAX) {
                    writeln!(f, "  {violation}")?;
                }
                Ok(())
            }
        }
    }
}
