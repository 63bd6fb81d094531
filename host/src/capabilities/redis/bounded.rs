//! A stream from a Redis server of which no reply is longer than it may be.
//!
//! The driver reads a reply whole before it gives anything of it, and bounds none. So the stream is
//! followed as it comes: it fails as soon as a length is announced that is too much.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What an element of a reply counts for besides its own bytes: what the driver keeps of it.
const ELEMENT_BYTES: u64 = 64;
/// Of a line, what says its kind and its number.
const LINE_HEAD_BYTES: usize = 24;

/// Whether a stream has ended because of a reply that was too long.
pub type Overrun = Arc<AtomicBool>;

pub struct Bounded<S> {
    stream: S,
    replies: Replies,
    overrun: Overrun,
}

impl<S> Bounded<S> {
    pub fn new(stream: S, reply_bytes_max: u64, overrun: Overrun) -> Self {
        Self {
            stream,
            replies: Replies::new(reply_bytes_max),
            overrun,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.replies.follow(&buffer.filled()[before..]).is_err() {
            self.overrun.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("a reply is too long")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

struct TooLong;

/// Where in the replies the stream is (RESP 2 and 3).
struct Replies {
    bytes_max: u64,
    /// Of the reply that is on its way.
    bytes: u64,
    /// Its elements that are still to come.
    elements: u64,
    /// Of a string, what is still to come.
    skip: u64,
    /// The beginning of the line that is on its way.
    line: Vec<u8>,
}

impl Replies {
    fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            elements: 1,
            skip: 0,
            line: Vec::with_capacity(LINE_HEAD_BYTES),
        }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped =
                    usize::try_from(self.skip).map_or(bytes.len(), |n| n.min(bytes.len()));
                bytes = &bytes[skipped..];
                self.skip -= skipped as u64;
                if self.skip == 0 {
                    self.element_ended();
                }
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            bytes = rest;
            self.grow(line.len() as u64)?;
            let room = LINE_HEAD_BYTES - self.line.len();
            self.line.extend(line.iter().take(room));
            if end.is_some() {
                self.line_ended()?;
                self.line.clear();
            }
        }
        Ok(())
    }

    fn line_ended(&mut self) -> Result<(), TooLong> {
        self.grow(ELEMENT_BYTES)?;
        let kind = self.line.first().copied().unwrap_or_default();
        let number = self.line.get(1..).unwrap_or_default();
        let number = std::str::from_utf8(number).ok();
        // Without one, or with -1, it is a nil.
        let number = number.and_then(|number| number.trim_end().parse::<u64>().ok());
        match (kind, number) {
            (b'$' | b'=' | b'!', Some(length)) => {
                self.grow(length)?;
                // And the end of the line.
                self.skip = length + 2;
            }
            (b'*' | b'~' | b'>', Some(count)) => {
                self.await_more(count)?;
                self.element_ended();
            }
            (b'%', Some(pairs)) => {
                self.await_more(pairs.saturating_mul(2))?;
                self.element_ended();
            }
            // What it says something about comes after it.
            (b'|', Some(pairs)) => self.await_more(pairs.saturating_mul(2))?,
            _ => self.element_ended(),
        }
        Ok(())
    }

    fn await_more(&mut self, elements: u64) -> Result<(), TooLong> {
        if elements.saturating_mul(ELEMENT_BYTES) > self.bytes_max - self.bytes {
            return Err(TooLong);
        }
        self.elements += elements;
        Ok(())
    }

    fn grow(&mut self, bytes: u64) -> Result<(), TooLong> {
        if bytes > self.bytes_max - self.bytes {
            return Err(TooLong);
        }
        self.bytes += bytes;
        Ok(())
    }

    fn element_ended(&mut self) {
        self.elements -= 1;
        if self.elements == 0 {
            self.elements = 1;
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether they pass, however they are cut.
    fn pass(replies: &[u8], bytes_max: u64) -> bool {
        let passes = |size: usize| {
            let mut followed = Replies::new(bytes_max);
            let mut parts = replies.chunks(size);
            parts.all(|part| followed.follow(part).is_ok())
        };
        let whole = passes(replies.len());
        for size in [1, 2, 3, 7] {
            assert_eq!(passes(size), whole, "in parts of {size}");
        }
        whole
    }

    #[test]
    fn each_reply_is_bounded_and_not_all_together() {
        let short: &[u8] =
            b"+OK\r\n:1\r\n$3\r\nabc\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:2\r\n%1\r\n+a\r\n+b\r\n\
            |1\r\n+a\r\n+b\r\n:3\r\n-ERR no\r\n_\r\n#t\r\n=7\r\ntxt:abc\r\n*0\r\n*-1\r\n$0\r\n\r\n";
        assert!(pass(&short.repeat(100), 512));
    }

    #[test]
    fn what_is_announced_is_enough_to_be_refused() {
        for reply in [
            &b"$1000\r\n"[..],
            b"*1000\r\n",
            b"%500\r\n",
            b"*2\r\n$500\r\na",
            b"$18446744073709551615\r\n",
            b"*18446744073709551615\r\n",
        ] {
            assert!(!pass(reply, 512), "{reply:?}");
            assert!(!pass(&[b":1\r\n", reply].concat(), 512), "{reply:?}");
        }
        let inside = [
            b"*3\r\n".to_vec(),
            b"$200\r\n".to_vec(),
            vec![b'x'; 200],
            b"\r\n$200\r\n".to_vec(),
        ];
        assert!(!pass(&inside.concat(), 512));
        assert!(!pass(&[b'+'; 600], 512));
        assert!(!pass(
            &[b"*7\r\n".to_vec(), b":1\r\n".repeat(7)].concat(),
            512
        ));
    }
}
