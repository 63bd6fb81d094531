//! The statement of the ordinary booking as PostgreSQL's own load generator runs it: prepared, and each time for
//! another slot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use praxis_servers::postgres;

use super::{PATIENTS, PRACTITIONERS, edition};
use crate::load::{CONNECTIONS, Sample};

/// As the booking component has it.
const BOOK: &str = include_str!("../../../components/booking/src/sql/book_at_once.sql");

/// What stands for `$1` and so on. `n` counts the slots, as in `bookings.lua`.
const VALUES: [&str; 15] = [
    "gen_random_uuid()",
    "('00000000-0000-0000-0000-' || lpad(to_hex(:n::bigint % :practitioners::bigint), 12, '0'))",
    "(:first::bigint + 3600 * (:n::bigint / :practitioners::bigint))",
    "('bench-' || (:n::bigint % :patients::bigint))",
    "('pgbench-' || :n::bigint)",
    "'0000000000000000000000000000000000000000000000000000000000000000'",
    "extract(epoch from now())",
    "(current_date - 1)",
    "'{edition}'",
    // The token says nothing that the patient lacks.
    "null",
    "null",
    "null",
    "null",
    "gen_random_uuid()",
    // Nor does the request say where a trace began.
    "null",
];

/// A script for `pgbench`.
pub struct Script {
    folder: PathBuf,
    /// Seconds since 1970.
    first: u64,
}

impl Script {
    pub fn write(folder: &Path, first: u64) -> anyhow::Result<Self> {
        let mut statement = BOOK.trim().to_owned();
        // The last first: $1 is how $18 begins.
        for (at, value) in VALUES.iter().enumerate().rev() {
            statement = statement.replace(
                &format!("${}", at + 1),
                &value.replace("{edition}", edition()),
            );
        }
        let script = format!(
            "\\set i :i + 1\n\\set n :base + :i * {CONNECTIONS} + :client_id\n{statement};\n"
        );
        fs::write(folder.join("book.pgbench"), script)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            first,
        })
    }

    /// Books the slots from number `base` on, with as many clients as the host has.
    pub fn run(&self, url: &str, seconds: u32, base: u64) -> anyhow::Result<Sample> {
        let log = tempfile::tempdir_in(&self.folder)?;
        let output = Command::new(postgres::installed_program("pgbench")?)
            .args(["--no-vacuum", "--protocol=prepared", "--log"])
            .arg("--file=book.pgbench")
            .arg(format!("--log-prefix={}/log", log.path().display()))
            .arg(format!("--client={CONNECTIONS}"))
            .arg(format!("--time={seconds}"))
            .args(["--define", "i=-1"])
            .arg(format!("--define=base={base}"))
            .arg(format!("--define=first={}", self.first))
            .arg(format!("--define=practitioners={PRACTITIONERS}"))
            .arg(format!("--define=patients={PATIENTS}"))
            .arg(url)
            .current_dir(&self.folder)
            .output()
            .context("could not run pgbench")?;
        ensure!(output.status.success(), "pgbench: {output:?}");
        let mut times = Vec::new();
        for entry in fs::read_dir(log.path())? {
            // client, transaction, microseconds, …
            for line in fs::read_to_string(entry?.path())?.lines() {
                let time = line.split(' ').nth(2).context("pgbench's log is short")?;
                times.push(time.parse()?);
            }
        }
        ensure!(!times.is_empty(), "pgbench did nothing: {output:?}");
        times.sort_by(f64::total_cmp);
        let quantile = |hundredth: usize| times[(times.len() - 1) * hundredth / 100];
        Ok(Sample {
            requests: times.len() as u64,
            per_second: times.len() as f64 / f64::from(seconds),
            p50_us: quantile(50),
            p99_us: quantile(99),
            processor_us: f64::NAN,
        })
    }
}
