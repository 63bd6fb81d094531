//! What a component prints: lines in the host's log, each with the component's id.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// One line; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 8 << 10;
/// One write of the component.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Standard output or standard error of one instance.
#[derive(Clone)]
pub struct Console(Arc<Mutex<Lines>>);

impl Console {
    /// `stream` is `stdout` or `stderr`.
    pub fn new(component: &str, stream: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            component: component.to_owned(),
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
    component: String,
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
        if !line.is_empty() {
            let (component, stream) = (&self.component, self.stream);
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
    }
}
