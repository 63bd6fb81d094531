//! Figures: medians, ratios within a round, and whether they are what was aimed at.

use std::fmt;

use serde::Serialize;

use crate::load::Sample;

/// One bench, as it is printed and written.
#[derive(Debug, Serialize)]
pub struct Report {
    pub title: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Row>,
    pub findings: Vec<Finding>,
}

/// One contestant's medians.
#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub medians: Vec<f64>,
}

/// What is to be known in the end, and what was aimed at.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub what: String,
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    pub goal: Option<Goal>,
    pub is_met: Option<bool>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {}", spelled(*least)),
            Self::AtMost(most) => write!(f, "at most {}", spelled(*most)),
        }
    }
}

impl Row {
    /// `figures` take from a sample what the columns say.
    pub fn new<T>(name: impl Into<String>, samples: &[T], figures: &[fn(&T) -> f64]) -> Self {
        let of = |figure: &fn(&T) -> f64| {
            let mut values: Vec<_> = samples.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            median(&values)
        };
        Self {
            name: name.into(),
            medians: figures.iter().map(of).collect(),
        }
    }
}

impl Finding {
    /// `values` are those of the rounds.
    pub fn new(what: impl Into<String>, mut values: Vec<f64>, goal: Option<Goal>) -> Self {
        values.sort_by(f64::total_cmp);
        let median = median(&values);
        Self {
            what: what.into(),
            median,
            lowest: values[0],
            highest: values[values.len() - 1],
            goal,
            is_met: goal.map(|goal| goal.is_met(median)),
        }
    }
}

/// The columns of [`row`].
pub const COLUMNS: [&str; 4] = ["requests/s", "p50 µs", "p99 µs", "CPU µs/request"];

pub fn row(name: &str, samples: &[Sample]) -> Row {
    Row::new(
        name,
        samples,
        &[
            |s| s.per_second,
            |s| s.p50_us,
            |s| s.p99_us,
            |s| s.processor_us,
        ],
    )
}

/// Something of each round of two contestants.
pub fn pairwise<T>(a: &[T], b: &[T], of: impl Fn(&T, &T) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| of(a, b)).collect()
}

/// Of values in order, of which there is one at least.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// As many digits as mean something.
fn spelled(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        write!(f, "  {:24}", "")?;
        for column in &self.columns {
            write!(f, "{column:>16}")?;
        }
        writeln!(f)?;
        for row in &self.rows {
            write!(f, "  {:24}", row.name)?;
            for value in &row.medians {
                write!(f, "{:>16}", spelled(*value))?;
            }
            writeln!(f)?;
        }
        for finding in &self.findings {
            write!(f, "  {}: {}", finding.what, spelled(finding.median))?;
            if finding.lowest < finding.highest {
                let (lowest, highest) = (spelled(finding.lowest), spelled(finding.highest));
                write!(f, " ({lowest} to {highest})")?;
            }
            match (&finding.goal, finding.is_met) {
                (Some(goal), Some(true)) => writeln!(f, ", goal {goal}: met")?,
                (Some(goal), _) => writeln!(f, ", goal {goal}: MISSED")?,
                (None, _) => writeln!(f)?,
            }
        }
        Ok(())
    }
}
