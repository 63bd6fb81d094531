//! The chunks of an import on their way: what one request carries, and what is answered to it.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, StatusCode, header};
use serde::Deserialize;

use super::{BadLine, Report};
use crate::http;

/// One request carries no more than this.
const CHUNK_LINES_MAX: usize = 2_000;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// The server may be busy or its database away: an import can be sent again, it changes nothing.
const TRIES_MAX: u32 = 6;
const PAUSE_MS: u64 = 500;

/// What one request carries, and where each of its lines stood in the file.
#[derive(Default)]
pub struct Chunk {
    numbers: Vec<u64>,
    text: String,
}

impl Chunk {
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub fn has_room_for(&self, text: &str) -> bool {
        self.is_empty()
            || (self.numbers.len() < CHUNK_LINES_MAX
                && self.text.len() + text.len() < CHUNK_BYTES_MAX)
    }

    pub fn push(&mut self, number: u64, text: &str) {
        self.numbers.push(number);
        self.text.push_str(text);
        self.text.push('\n');
    }
}

impl Report {
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

pub struct Server {
    client: Client,
    address: String,
    token: String,
}

impl Server {
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: http::client()?,
            address: format!("{}/v1/practitioners:import", url.trim_end_matches('/')),
            token: token.to_owned(),
        })
    }

    /// Sends a chunk, and again what the server could not take then.
    pub async fn import(
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
                    if chunk.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;

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
