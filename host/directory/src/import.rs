//! `praxis import`: a file, posted in chunks to `/v1/practitioners:import`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, StatusCode, header};
use serde::Deserialize;

use crate::csv_file;

/// One request carries no more than this.
const CHUNK_LINES_MAX: usize = 2_000;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// The server may be busy or its database away: an import can be sent again, it changes nothing.
const TRIES_MAX: u32 = 6;
const PAUSE_MS: u64 = 500;

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

    /// Counts what became of a chunk's lines; the answer is those that are to be sent `again`. Where none
    /// may be, they are bad.
    fn take(
        &mut self,
        chunk: &Chunk,
        answers: impl Iterator<Item = Answer>,
        again: bool,
    ) -> anyhow::Result<Chunk> {
        let mut left = Chunk::default();
        let sent: Vec<_> = chunk.numbers.iter().zip(chunk.text.lines()).collect();
        for answer in answers {
            let line = answer.line.checked_sub(1);
            let line = line.and_then(|index| sent.get(index));
            let (number, text) = line.context("the server answered to a line it was not sent")?;
            match answer.status {
                Status::Created => self.created += 1,
                Status::Updated => self.updated += 1,
                Status::Unchanged => self.unchanged += 1,
                Status::Failed if again => left.push(**number, text),
                Status::Failed | Status::Rejected => self.bad.push(BadLine {
                    number: **number,
                    reasons: answer.errors.into_iter().map(Fault::into_reason).collect(),
                }),
            }
        }
        Ok(left)
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
    if !chunk.numbers.is_empty() {
        server.import(chunk, &mut report, &mut progress).await?;
    }
    report.bad.sort_by_key(|line| line.number);
    Ok(report)
}

/// What one request carries, and where each of its lines stood in the file.
#[derive(Default)]
struct Chunk {
    numbers: Vec<u64>,
    text: String,
}

impl Chunk {
    fn has_room_for(&self, text: &str) -> bool {
        self.numbers.is_empty()
            || (self.numbers.len() < CHUNK_LINES_MAX
                && self.text.len() + text.len() < CHUNK_BYTES_MAX)
    }

    fn push(&mut self, number: u64, text: &str) {
        self.numbers.push(number);
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// The answer to one line.
#[derive(Deserialize)]
struct Answer {
    /// From 1, in the request.
    line: usize,
    status: Status,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Created,
    Updated,
    Unchanged,
    Rejected,
    /// Nothing is known to be wrong with the line.
    Failed,
}

#[derive(Deserialize)]
struct Fault {
    pointer: String,
    detail: String,
}

struct Server {
    client: Client,
    address: String,
    token: String,
}

impl Server {
    fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: client()?,
            address: format!("{}/v1/practitioners:import", url.trim_end_matches('/')),
            token: token.to_owned(),
        })
    }

    /// Sends a chunk, and again what the server could not take then.
    async fn import(
        &self,
        mut chunk: Chunk,
        report: &mut Report,
        progress: &mut impl FnMut(u64),
    ) -> anyhow::Result<()> {
        let mut answers: Vec<Answer> = Vec::with_capacity(chunk.numbers.len());
        for attempt in 1.. {
            let before = report.lines();
            answers.clear();
            let sent = self
                .post(&chunk, |answer| {
                    answers.push(answer);
                    progress(before + answers.len() as u64);
                })
                .await;
            match sent {
                Ok(()) => {
                    chunk = report.take(&chunk, answers.drain(..), attempt < TRIES_MAX)?;
                    if chunk.numbers.is_empty() {
                        break;
                    }
                }
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::Later(error)) if attempt >= TRIES_MAX => return Err(error),
                Err(Refusal::Later(_)) => {}
            }
            tokio::time::sleep(Duration::from_millis(PAUSE_MS * u64::from(attempt))).await;
        }
        Ok(())
    }

    async fn post(&self, chunk: &Chunk, mut heard: impl FnMut(Answer)) -> Result<(), Refusal> {
        let mut response = self
            .client
            .post(&self.address)
            .bearer_auth(&self.token)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(chunk.text.clone())
            .send()
            .await
            .with_context(|| format!("could not reach {}", self.address))
            .map_err(Refusal::Later)?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = response.text().await.unwrap_or_default();
            let error = anyhow::anyhow!("{} answered {status}: {body}", self.address);
            let later = [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::SERVICE_UNAVAILABLE,
            ];
            return Err(match later.contains(&status) {
                true => Refusal::Later(error),
                false => Refusal::Final(error),
            });
        }
        let mut pending = Vec::new();
        let mut count = 0;
        while let Some(bytes) = response
            .chunk()
            .await
            .context("the answer broke off")
            .map_err(Refusal::Later)?
        {
            pending.extend_from_slice(&bytes);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let answer = serde_json::from_slice(&pending[..end])
                    .context("the answer is not that of an import")
                    .map_err(Refusal::Final)?;
                pending.drain(..=end);
                count += 1;
                heard(answer);
            }
        }
        if count != chunk.numbers.len() {
            let sent = chunk.numbers.len();
            let error = anyhow::anyhow!("the answer broke off after {count} of {sent} lines");
            return Err(Refusal::Later(error));
        }
        Ok(())
    }
}

impl Fault {
    fn into_reason(self) -> String {
        match self.pointer.as_str() {
            "" => self.detail,
            pointer => format!("{pointer} {}", self.detail),
        }
    }
}

/// Why a chunk was not imported.
enum Refusal {
    Later(anyhow::Error),
    Final(anyhow::Error),
}

/// Before the host closes what nothing is sent on (`head_timeout_ms`, 10 s): a request that is sent just then
/// gets no answer.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// An HTTP client that speaks TLS as well.
pub fn client() -> anyhow::Result<Client> {
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(60))
        .pool_idle_timeout(IDLE_MAX)
        .build()
        .context("could not set up an HTTP client")
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

    #[test]
    fn a_chunk_is_bounded_in_lines_and_in_bytes() {
        let mut chunk = Chunk::default();
        assert!(chunk.has_room_for(&"x".repeat(2 * CHUNK_BYTES_MAX)));
        for number in 0..CHUNK_LINES_MAX as u64 {
            assert!(chunk.has_room_for("{}"));
            chunk.push(number, "{}");
        }
        assert!(!chunk.has_room_for("{}"));
        let mut chunk = Chunk::default();
        chunk.push(1, &"x".repeat(CHUNK_BYTES_MAX));
        assert!(!chunk.has_room_for("{}"));
    }

    #[test]
    fn what_the_server_could_not_take_is_sent_again_and_is_bad_in_the_end() {
        let answers = || {
            let told = r#"[{"line":1,"status":"created"},
                {"line":2,"status":"failed","errors":[{"pointer":"","detail":"away"}]},
                {"line":3,"status":"rejected","errors":[{"pointer":"/lat","detail":"is odd"}]}]"#;
            let answers: Vec<Answer> = serde_json::from_str(told).unwrap();
            answers.into_iter()
        };
        let mut chunk = Chunk::default();
        for (number, text) in [(4, "{}"), (6, r#"{"a":"b"}"#), (7, "[]")] {
            chunk.push(number, text);
        }
        let mut report = Report::default();
        let left = report.take(&chunk, answers(), true).unwrap();
        assert_eq!(
            (&left.numbers[..], left.text.as_str()),
            (&[6][..], "{\"a\":\"b\"}\n")
        );
        assert_eq!((report.created, report.bad.len()), (1, 1));
        let left = report.take(&chunk, answers(), false).unwrap();
        assert!(left.numbers.is_empty());
        let told: Vec<_> = report
            .bad
            .iter()
            .map(|bad| (bad.number, &bad.reasons[0]))
            .collect();
        assert_eq!(told[1], (6, &"away".to_owned()));
        assert!(report.take(&Chunk::default(), answers(), true).is_err());
    }
}
