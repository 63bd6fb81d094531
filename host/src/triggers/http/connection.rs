//! One client's connection.

use std::convert::Infallible;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::client::Client;
use super::pace::Pace;

/// The request line and all headers together.
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 100;
/// A client that takes longer to send a head, or sends none, is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may go on sending after the last answer: cut off at once, it might not get to
/// read why it was refused.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const SCRATCH_BYTES: usize = 4 << 10;

/// Answers the client's requests, one after the other, until it goes or the server is to stop.
pub async fn serve(
    server: Arc<Server>,
    stream: TcpStream,
    address: SocketAddr,
    stop: CancellationToken,
) {
    // Without it, small answers on a kept-alive connection wait for the client's delayed ACK.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let local = stream.local_addr().unwrap_or(address);
    let client = Arc::new(Client::new(address, local));
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(server.answer(request, &client).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Impatient::new(stream)), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A stream that fails once a client reads its answers too slowly, and that hears a client out
/// for `LINGER_TIMEOUT` when all is said.
struct Impatient {
    stream: TcpStream,
    pace: Pace,
    lingering: Option<Pin<Box<Sleep>>>,
    has_ended: bool,
}

impl Impatient {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            pace: Pace::default(),
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

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let nothing = buffer.filled().len() == before && buffer.remaining() > 0;
        self.has_ended |= nothing && matches!(read, Poll::Ready(Ok(())));
        read
    }
}

impl AsyncWrite for Impatient {
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
