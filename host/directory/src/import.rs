//! `praxis import`: a file, posted in chunks to `/v1/practitioners:import`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::csv_file;

mod server;

use server::{Chunk, Server};

/// Bad lines that are printed; all of them are counted.
const BAD_LINES_SHOWN_MAX: usize = 100;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file: `.ndjson` (a practitioner a line, as in the HTTP contract) or `.csv`.
    ///
    /// CSV is UTF-8 with a header. Columns: tenant, name, specialty, practice, address, city,
    /// country (ISO 3166-1 alpha-2), lat, lon, time_zone (IANA; if empty, from the place), rating,
    /// email, phone, locale, subject, hours (`mon-fri 9-12 13-17; sat 9-13`), exceptions
    /// (`2026-12-24 9-12; 2026-12-25 closed`), periods (`2027-06-01/2027-08-31 mon-fri 8-12 |
    /// 2027-09-01/ mon-thu 9-17`), holidays (`2026-12-25, 2026-12-26`), leave
    /// (`2026-08-03/2026-08-14, 2026-09-01`), lead_minutes, horizon_days, languages (`de, tr`),
    /// telehealth (true or false), active, practitioner_id, person_id (of who works at several
    /// places: the same in each of their rows). Needed are name, specialty, country, lat, lon and
    /// hours, and tenant unless the token belongs to one.
    #[arg(verbatim_doc_comment)]
    file: PathBuf,
    /// Where Praxis runs.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// A token of an operator, or of a tenant's staff: see `praxis token`.
    #[arg(long, env = "PRAXIS_TOKEN", hide_env_values = true)]
    token: String,
}

/// One practitioner of a file and where it stood.
#[derive(Debug)]
pub struct Line {
    pub number: u64,
    /// JSON, or why there is none.
    pub text: Result<String, String>,
}

impl Line {
    pub fn good(number: u64, text: String) -> Self {
        Self {
            number,
            text: Ok(text),
        }
    }

    pub fn bad(number: u64, reason: impl Into<String>) -> Self {
        Self {
            number,
            text: Err(reason.into()),
        }
    }
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub bad: Vec<BadLine>,
}

impl Report {
    /// Lines that the import looked at.
    pub fn lines(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.bad.len() as u64
    }
}

/// A line that was not imported.
#[derive(Debug)]
pub struct BadLine {
    /// From 1, in the file.
    pub number: u64,
    pub reasons: Vec<String>,
}

/// Imports NDJSON into the Praxis at `url`; bad lines are in the report. Once more, it changes
/// nothing: the practitioners are `unchanged` then.
///
/// `token` is an operator's, or that of a tenant's staff. Fails if the server cannot be reached,
/// does not accept the token, or stays unavailable over several tries.
pub async fn import_ndjson(url: &str, token: &str, reader: impl BufRead) -> anyhow::Result<Report> {
    import(url, token, ndjson_lines(reader), |_| ()).await
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let path = &arguments.file;
    let open = || File::open(path).with_context(|| format!("could not open {}", path.display()));
    let lines: Box<dyn Iterator<Item = anyhow::Result<Line>>> =
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson" | "jsonl") => Box::new(ndjson_lines(BufReader::new(open()?))),
            Some("csv") => Box::new(csv_file::lines(open()?)?),
            _ => bail!("{} is neither .ndjson nor .csv", path.display()),
        };
    let bar = progress_bar();
    let started = Instant::now();
    let report = import(&arguments.url, &arguments.token, lines, |done| {
        bar.set_position(done)
    })
    .await;
    bar.finish_and_clear();
    print(&report?, started.elapsed(), path)
}

fn print(report: &Report, elapsed: Duration, path: &std::path::Path) -> anyhow::Result<()> {
    for line in report.bad.iter().take(BAD_LINES_SHOWN_MAX) {
        eprintln!("line {}: {}", line.number, line.reasons.join("; "));
    }
    println!(
        "{} practitioners in {:.1} s ({:.0}/s): {} created, {} updated, {} unchanged, {} bad",
        report.lines(),
        elapsed.as_secs_f64(),
        report.lines() as f64 / elapsed.as_secs_f64().max(0.001),
        report.created,
        report.updated,
        report.unchanged,
        report.bad.len(),
    );
    ensure!(
        report.bad.is_empty(),
        "{} lines of {} were not imported",
        report.bad.len(),
        path.display()
    );
    Ok(())
}

fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {human_pos} practitioners, {per_sec}, {elapsed}")
            .expect("the template is well-formed");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Lines of NDJSON; empty ones are skipped, but counted.
fn ndjson_lines(reader: impl BufRead) -> impl Iterator<Item = anyhow::Result<Line>> {
    reader.split(b'\n').zip(1..).filter_map(|(line, number)| {
        let line = match line.context("could not read the file") {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        match String::from_utf8(line) {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) => Some(Ok(Line::good(number, text.trim().to_owned()))),
            Err(_) => Some(Ok(Line::bad(number, "not UTF-8"))),
        }
    })
}

async fn import(
    url: &str,
    token: &str,
    lines: impl Iterator<Item = anyhow::Result<Line>>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Report> {
    let server = Server::new(url, token)?;
    let mut report = Report::default();
    let mut chunk = Chunk::default();
    for line in lines {
        let line = line?;
        match line.text {
            Err(reason) => report.bad.push(BadLine {
                number: line.number,
                reasons: vec![reason],
            }),
            Ok(text) => {
                if !chunk.has_room_for(&text) {
                    let full = std::mem::take(&mut chunk);
                    server.import(full, &mut report, &mut progress).await?;
                }
                chunk.push(line.number, &text);
            }
        }
    }
    if !chunk.is_empty() {
        server.import(chunk, &mut report, &mut progress).await?;
    }
    report.bad.sort_by_key(|line| line.number);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_count_but_are_not_sent() {
        let lines: Vec<_> = ndjson_lines("{\"a\":1}\n\n \r\n{\"b\":2}\r\n".as_bytes())
            .map(Result::unwrap)
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].number, 4);
        assert_eq!(lines[1].text.as_deref(), Ok("{\"b\":2}"));
    }

    #[test]
    fn a_line_that_is_not_text_is_bad() {
        let lines: Vec<_> = ndjson_lines(&b"\xff\n{}"[..]).map(Result::unwrap).collect();
        assert!(lines[0].text.is_err());
        assert!(lines[1].text.is_ok());
    }
}
