//! A stream of bytes with a client: how slowly it may take them, and how it is left.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::super::pace::{Pace, Window};
use super::first::First;

/// How long a client may go on sending after the last answer: cut off at once, it might not get to
/// read why it was refused.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const SCRATCH_BYTES: usize = 4 << 10;

/// A stream that fails once a client reads its answers too slowly, and that hears a client out
/// for `LINGER_TIMEOUT` when all is said.
pub struct Hurried {
    /// What was read of it before: looked at, and read once more from here.
    first: First,
    stream: TcpStream,
    pace: Pace,
    lingering: Option<Pin<Box<Sleep>>>,
    has_ended: bool,
}

impl Hurried {
    pub fn new(first: First, stream: TcpStream, slowest: Window) -> Self {
        Self {
            first,
            stream,
            pace: Pace::new(slowest),
            lingering: None,
            has_ended: false,
        }
    }

    fn bounded(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.pace.moved(*written.as_ref().unwrap_or(&0));
            return Poll::Ready(written);
        }
        ready!(self.pace.poll_too_slow(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Hurried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let again = self.first.take(buffer.remaining());
        let is_again = !again.is_empty();
        buffer.put_slice(again);
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if is_again {
            // What the stream has to say beyond it, it says again.
            return Poll::Ready(Ok(()));
        }
        let nothing = buffer.filled().len() == before && buffer.remaining() > 0;
        self.has_ended |= nothing && matches!(read, Poll::Ready(Ok(())));
        read
    }
}

impl AsyncWrite for Hurried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        let this = &mut *self;
        let lingering =
            (this.lingering).get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_TIMEOUT)));
        let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
        while !this.has_ended && lingering.as_mut().poll(context).is_pending() {
            let mut rest = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut rest))?;
            this.has_ended = rest.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}
