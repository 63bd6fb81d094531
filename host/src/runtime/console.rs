//! What a component prints: lines in the host's log, each with the component's id.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// One line; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 8 << 10;
/// What all instances of a component may print in a second. What is more is left out, line by line.
const BYTES_PER_SECOND_MAX: usize = 1 << 20;
/// What a line counts for, besides its own bytes: what the log puts around it.
const LINE_OVERHEAD_BYTES: usize = 128;
const SECOND: Duration = Duration::from_secs(1);
/// One write of the component.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// What the instances of one component may print together.
pub struct Allowance {
    component: String,
    second: Mutex<Second>,
}

impl Allowance {
    pub fn new(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            second: Mutex::default(),
        }
    }

    /// Whether there is still room for a line.
    fn take(&self, line: &str) -> bool {
        self.settle();
        self.second().take(line.len())
    }

    /// Says how many lines were left out in a second that is over.
    fn settle(&self) {
        let left_out = self.second().turn(Instant::now());
        self.report(left_out);
    }

    fn report(&self, lines: u64) {
        if lines > 0 {
            let component = self.component.as_str();
            tracing::warn!(component, lines, "it prints too much: lines were left out");
        }
    }

    fn second(&self) -> MutexGuard<'_, Second> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        let left_out = self.second().lines_left_out;
        self.report(left_out);
    }
}

/// What was printed in the second that began last.
#[derive(Default)]
struct Second {
    begun: Option<Instant>,
    bytes: usize,
    lines_left_out: u64,
}

impl Second {
    /// Begins the next one if this one is over; how many lines were left out in it.
    fn turn(&mut self, now: Instant) -> u64 {
        let lasts = |begun| now.saturating_duration_since(begun) < SECOND;
        if self.begun.is_some_and(lasts) {
            return 0;
        }
        let over = std::mem::take(self);
        self.begun = Some(now);
        over.lines_left_out
    }

    fn take(&mut self, line_bytes: usize) -> bool {
        let bytes = self.bytes + line_bytes + LINE_OVERHEAD_BYTES;
        let fits = bytes <= BYTES_PER_SECOND_MAX;
        if fits {
            self.bytes = bytes;
        } else {
            self.lines_left_out += 1;
        }
        fits
    }
}

/// Standard output or standard error of one instance.
#[derive(Clone)]
pub struct Console(Arc<Mutex<Lines>>);

impl Console {
    /// `stream` is `stdout` or `stderr`.
    pub fn new(allowance: &Arc<Allowance>, stream: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            allowance: Arc::clone(allowance),
            stream,
            line: Vec::new(),
            cut: false,
        })))
    }

    fn print(&self, bytes: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.take(bytes);
    }
}

impl IsTerminal for Console {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Console {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Console {
    async fn ready(&mut self) {}
}

impl OutputStream for Console {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Console {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Bytes, cut into lines.
struct Lines {
    allowance: Arc<Allowance>,
    stream: &'static str,
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_BYTES_MAX - self.line.len();
            self.cut |= text.len() > room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() && self.allowance.take(line) {
            let (component, stream) = (&self.allowance.component, self.stream);
            let cut = if self.cut { " …" } else { "" };
            tracing::info!(component, stream, "{line}{cut}");
        }
        self.line.clear();
        self.cut = false;
    }
}

/// The last line may have no end.
impl Drop for Lines {
    fn drop(&mut self) {
        self.end();
        self.allowance.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_BYTES: usize = 72;
    const LINES_PER_SECOND: usize = BYTES_PER_SECOND_MAX / (LINE_BYTES + LINE_OVERHEAD_BYTES);

    #[test]
    fn what_is_too_much_for_a_second_is_left_out_and_counted() {
        let mut second = Second::default();
        let begun = Instant::now();
        assert_eq!(second.turn(begun), 0);
        let printed = (0..LINES_PER_SECOND + 7).filter(|_| second.take(LINE_BYTES));
        assert_eq!(printed.count(), LINES_PER_SECOND);
        assert_eq!(second.turn(begun + SECOND / 2), 0);
        assert!(!second.take(LINE_BYTES));
        assert_eq!(second.turn(begun + SECOND), 8);
        assert!(second.take(LINE_BYTES));
        assert_eq!(second.turn(begun + SECOND * 2), 0);
    }

    #[test]
    fn instances_share_what_their_component_may_print() {
        let allowance = Arc::new(Allowance::new("chatty"));
        let first = Console::new(&allowance, "stdout");
        first.print(&[b'\n'; 4]);
        assert_eq!(allowance.second().bytes, 0, "empty lines are not printed");
        first.print(b"one\n");
        Console::new(&allowance, "stderr").print(b"two");
        assert_eq!(allowance.second().bytes, 2 * (3 + LINE_OVERHEAD_BYTES));
    }
}
