//! What was done and what was found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::checker::{Findings, Violation};
use crate::history::{Deed, Operation, Outcome};
use crate::mutation::Mutation;
use crate::proxy::Point;
use crate::run::Adapter;
use crate::script::Fault;

/// Violations that are printed of each kind; the JSON has all.
const SHOWN_MAX: usize = 5;

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub adapter: Adapter,
    pub seed: u64,
    pub hosts: usize,
    pub clients: usize,
    pub broken: Vec<Mutation>,
    /// While clients acted.
    pub seconds: f64,
    /// From then until nothing was left to do.
    pub settled_seconds: f64,
    pub operations: BTreeMap<&'static str, Tally>,
    /// Refusals by their problem.
    pub refusals: BTreeMap<String, u64>,
    /// Answers that did not say what happened.
    pub unclear: BTreeMap<String, u64>,
    pub profile_changes: u64,
    pub faults: BTreeMap<String, usize>,
    /// How often a host came to a point, killed or not.
    pub points: BTreeMap<Point, u64>,
    pub script: Vec<Fault>,
    #[serde(flatten)]
    pub findings: Findings,
}

/// How the operations of one kind ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub done: u64,
    pub refused: u64,
    pub unknown: u64,
    /// Tries beyond the first.
    pub again: u64,
}

impl Report {
    pub fn operations_in_all(&self) -> u64 {
        let tallies = self.operations.values();
        tallies
            .map(|one| one.done + one.refused + one.unknown)
            .sum()
    }

    pub fn faults_in_all(&self) -> usize {
        self.faults.values().sum()
    }

    /// How many violations there are of each kind.
    pub fn violations_by_kind(&self) -> BTreeMap<&'static str, Vec<&Violation>> {
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for violation in &self.findings.violations {
            kinds.entry(violation.name()).or_default().push(violation);
        }
        kinds
    }
}

pub fn tally(operations: &[Operation]) -> BTreeMap<&'static str, Tally> {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for name in Deed::NAMES {
        tallies.insert(name, Tally::default());
    }
    for operation in operations {
        let tally = tallies.entry(operation.deed.name()).or_default();
        match operation.outcome {
            Outcome::Done(_) => tally.done += 1,
            Outcome::Refused { .. } => tally.refused += 1,
            Outcome::Unknown => tally.unknown += 1,
        }
        tally.again += u64::from(operation.tries.saturating_sub(1));
    }
    tallies
}

pub fn refusals(operations: &[Operation]) -> BTreeMap<String, u64> {
    let mut refusals = BTreeMap::new();
    for operation in operations {
        if let Outcome::Refused { status, problem } = &operation.outcome {
            let problem = problem.trim_start_matches("/problems/");
            *refusals.entry(format!("{status} {problem}")).or_default() += 1;
        }
    }
    refusals
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = match self.adapter {
            Adapter::Kafka => "Kafka",
            Adapter::Postgres => "PostgreSQL's log",
        };
        let (hosts, clients, seed) = (self.hosts, self.clients, self.seed);
        write!(f, "{name}: {hosts} hosts, {clients} clients, seed {seed}")?;
        match self.broken.as_slice() {
            [] => writeln!(f)?,
            broken => writeln!(f, ", broken: {broken:?}")?,
        }
        let per_minute = self.operations_in_all() as f64 / self.seconds * 60.0;
        writeln!(
            f,
            "{} operations in {:.0} s, {per_minute:.0} a minute; settled after {:.1} s more",
            self.operations_in_all(),
            self.seconds,
            self.settled_seconds
        )?;
        for (deed, tally) in &self.operations {
            writeln!(
                f,
                "  {deed:<11} {:>7} done {:>6} refused {:>5} unknown {:>5} tries more",
                tally.done, tally.refused, tally.unknown, tally.again
            )?;
        }
        list(f, "refused", &self.refusals)?;
        list(f, "unclear answers", &self.unclear)?;
        writeln!(
            f,
            "  the hours of practitioners changed {} times",
            self.profile_changes
        )?;
        writeln!(f, "injected: {} faults", self.faults_in_all())?;
        for (kind, times) in &self.faults {
            writeln!(f, "  {times:>5} {kind}")?;
        }
        let found = &self.findings;
        writeln!(
            f,
            "found: {} bookings, {} events, {} of them published again; {} mails, {} of them again \
             with the ledger's knowledge",
            found.bookings, found.events, found.published_again, found.mails, found.mails_again
        )?;
        writeln!(
            f,
            "  {} entries of the waitlist, {} offers, {} people erased; {} times a hold was kept longer",
            found.entries, found.offers, found.erased, found.extended
        )?;
        if found.violations.is_empty() {
            return writeln!(f, "  no violation");
        }
        writeln!(f, "  {} VIOLATIONS", found.violations.len())?;
        for (kind, violations) in self.violations_by_kind() {
            writeln!(f, "  {kind}: {}", violations.len())?;
            for violation in violations.iter().take(SHOWN_MAX) {
                writeln!(f, "    {violation}")?;
            }
        }
        Ok(())
    }
}

fn list(f: &mut Formatter<'_>, what: &str, counts: &BTreeMap<String, u64>) -> fmt::Result {
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, times)| format!("{name} {times}"))
        .collect();
    writeln!(f, "  {what}: {}", counts.join(", "))
}
