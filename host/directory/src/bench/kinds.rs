//! How long requests of each kind took, and what was aimed at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use super::client::{Failure, Looked};
use super::locked;

const LATENCY_US_MAX: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Search,
    Look,
    Book,
    Cancel,
    /// From a booking's answer until a search shows it.
    Visible,
}

/// Name and p99 that is aimed at, in milliseconds.
const KINDS: [(&str, Option<u32>); 5] = [
    ("search", Some(200)),
    ("availability", Some(20)),
    ("booking", Some(100)),
    ("cancellation", None),
    ("booking to search", Some(1_000)),
];

pub struct Kinds {
    /// What was due before is not measured; that it failed is told.
    measured_from: Instant,
    taken: [Mutex<Taken>; 5],
    /// Looks that the bitmap could not answer.
    loaded: AtomicU64,
}

struct Taken {
    latencies: Histogram<u64>,
    refused: u64,
    failures: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    share: f64,
    seconds: u32,
    /// Until no consumer had anything left to do, after the last answer.
    level_seconds: f64,
    /// Looks at availability that were loaded from the database.
    loaded: u64,
    kinds: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    requests: u64,
    /// Somebody else was faster.
    refused: u64,
    failures: BTreeMap<String, u64>,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    goal_p99_ms: Option<u32>,
}

impl Kinds {
    pub fn new(measured_from: Instant) -> anyhow::Result<Self> {
        let latencies = Histogram::new_with_max(LATENCY_US_MAX, SIGNIFICANT_DIGITS)?;
        let taken = || {
            Mutex::new(Taken {
                latencies: latencies.clone(),
                refused: 0,
                failures: BTreeMap::new(),
            })
        };
        Ok(Self {
            measured_from,
            taken: std::array::from_fn(|_| taken()),
            loaded: AtomicU64::new(0),
        })
    }

    /// Notes a look; answers what is free.
    pub fn note_look(
        &self,
        due: Instant,
        answer: Result<Looked, Failure>,
    ) -> anyhow::Result<Vec<String>> {
        let (free, outcome) = match answer {
            Ok(looked) => {
                self.loaded.fetch_add(looked.is_loaded.into(), Relaxed);
                (looked.free, Ok(()))
            }
            Err(failure) => (Vec::new(), Err(failure)),
        };
        self.note(Kind::Look, due, outcome)?;
        Ok(free)
    }

    /// Notes how long it took since it was due, or why it did not come off.
    pub fn note(
        &self,
        kind: Kind,
        due: Instant,
        outcome: Result<(), Failure>,
    ) -> anyhow::Result<()> {
        let us = u64::try_from(due.elapsed().as_micros())?.clamp(1, LATENCY_US_MAX);
        let mut taken = locked(&self.taken[kind as usize]);
        match outcome {
            Ok(()) if due < self.measured_from => {}
            Ok(()) => taken.latencies.record(us)?,
            Err(Failure::Refused) => taken.refused += 1,
            Err(Failure::Failed(why)) => *taken.failures.entry(why).or_default() += 1,
        }
        Ok(())
    }

    pub fn report(&self, share: f64, seconds: u32, level: Duration) -> Report {
        let row = |(taken, (name, goal)): (&Mutex<Taken>, _)| {
            let taken = locked(taken);
            let ms = |quantile| taken.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
            Row {
                name,
                requests: taken.latencies.len(),
                refused: taken.refused,
                failures: taken.failures.clone(),
                p50_ms: ms(0.5),
                p99_ms: ms(0.99),
                max_ms: ms(1.0),
                goal_p99_ms: goal,
            }
        };
        Report {
            share,
            seconds,
            level_seconds: level.as_secs_f64(),
            loaded: self.loaded.load(Relaxed),
            kinds: self.taken.iter().zip(KINDS).map(row).collect(),
        }
    }
}

impl Report {
    pub fn failed(&self) -> u64 {
        self.kinds
            .iter()
            .flat_map(|row| row.failures.values())
            .sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            share,
            seconds,
            level_seconds,
            loaded,
            kinds,
        } = self;
        writeln!(f, "{share} of a country's peak for {seconds} s")?;
        writeln!(
            f,
            "{:18} {:>9} {:>8} {:>7} {:>9} {:>9} {:>9}",
            "", "requests", "refused", "failed", "p50 ms", "p99 ms", "max ms"
        )?;
        for row in kinds {
            let failed: u64 = row.failures.values().sum();
            write!(
                f,
                "{:18} {:>9} {:>8} {failed:>7} {:>9.1} {:>9.1} {:>9.1}",
                row.name, row.requests, row.refused, row.p50_ms, row.p99_ms, row.max_ms
            )?;
            match row.goal_p99_ms {
                Some(goal) if row.p99_ms < f64::from(goal) => writeln!(f, "  p99 < {goal}: met")?,
                Some(goal) => writeln!(f, "  p99 < {goal}: MISSED")?,
                None => writeln!(f)?,
            }
            for (why, count) in &row.failures {
                writeln!(f, "  {count} times: {why}")?;
            }
        }
        writeln!(f, "{loaded} looks were loaded from the database")?;
        writeln!(
            f,
            "no consumer had anything left to do {level_seconds:.1} s after the last answer"
        )
    }
}
