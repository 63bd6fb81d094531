//! Bodies on their way in and out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::poll;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::super::Response;
use super::super::pace::{Pace, Window};
use super::call::{Call, Fate, Interest};

/// How often others may run before a head is sent without the end of its body.
const PROMPT_TURNS_MAX: u32 = 4;

/// A request's body for a component: bounded in length, and in how slowly it may come.
pub fn incoming<B>(body: B, bytes_max: u64, slowest: Window, call: &Arc<Call>) -> WasiBody
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let incoming = Incoming {
        body,
        bytes_left: bytes_max,
        bytes_max,
        pace: Pace::new(slowest),
        call: Arc::clone(call),
    };
    incoming.boxed_unsync()
}

struct Incoming<B> {
    body: B,
    bytes_left: u64,
    bytes_max: u64,
    pace: Pace,
    call: Arc<Call>,
}

impl<B> Body for Incoming<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.pace.poll_too_slow(context));
            self.call.end(Fate::BodyTooSlow);
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.pace.moved(bytes);
                match self.bytes_left.checked_sub(bytes as u64) {
                    Some(left) => {
                        self.bytes_left = left;
                        Some(Ok(frame))
                    }
                    None => {
                        self.call.end(Fate::BodyTooLarge);
                        Some(Err(Error::HttpRequestBodySize(Some(self.bytes_max))))
                    }
                }
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The component's answer: should the client go before it has all of it, the instance is stopped.
pub fn outgoing(method: &Method, response: Response, mut interest: Interest) -> Response {
    let status = response.status();
    let bodiless = method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    if bodiless || response.body().is_end_stream() {
        interest.satisfied();
        return response;
    }
    let declared = response.headers().get(CONTENT_LENGTH);
    let bytes_left = declared.and_then(|length| length.to_str().ok()?.parse().ok());
    response.map(|body| {
        let outgoing = Outgoing {
            body,
            bytes_left,
            interest,
        };
        outgoing.boxed_unsync()
    })
}

/// Waits for a short body that is about to end, but not for time to pass: its length is known then,
/// it leaves together with its head, and the client is woken once.
pub async fn prompt(response: Response) -> Response {
    let (head, mut body) = response.into_parts();
    let mut frames = [None, None];
    let mut has_ended = body.is_end_stream();
    let mut turns = 0;
    while !has_ended && frames[1].is_none() && turns < PROMPT_TURNS_MAX {
        match poll!(body.frame()) {
            Poll::Ready(None) => has_ended = true,
            Poll::Ready(frame) if frames[0].is_none() => frames[0] = frame,
            Poll::Ready(frame) => frames[1] = frame,
            Poll::Pending => {
                turns += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    let begun = Begun {
        frames,
        body,
        has_ended,
    };
    http::Response::from_parts(head, begun.boxed_unsync())
}

/// A body of which something was read already.
struct Begun {
    frames: [Option<Result<Frame<Bytes>, Error>>; 2],
    body: WasiBody,
    has_ended: bool,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.frames.iter_mut().find_map(Option::take) {
            return Poll::Ready(Some(frame));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        let is_read = self.frames.iter().all(Option::is_none);
        is_read && (self.has_ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut bytes = 0;
        for frame in self.frames.iter().flatten() {
            match frame.as_ref().ok().and_then(Frame::data_ref) {
                Some(data) => bytes += data.len() as u64,
                // An error or trailers: the client is to see them.
                None => return SizeHint::default(),
            }
        }
        if self.has_ended {
            SizeHint::with_exact(bytes)
        } else {
            SizeHint::default()
        }
    }
}

struct Outgoing {
    body: WasiBody,
    /// What is to come, where the head said how long the body is: nobody asks for its end then.
    bytes_left: Option<u64>,
    interest: Interest,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.bytes_left = self.bytes_left.map(|left| left.saturating_sub(bytes));
                if self.bytes_left == Some(0) || self.body.is_end_stream() {
                    self.interest.satisfied();
                }
            }
            Some(Err(_)) => {}
            // The end, or all that there was before the instance was stopped.
            None if self.interest.is_lost() => {
                let cut = Error::InternalError(Some("the answer was cut off".to_owned()));
                return Poll::Ready(Some(Err(cut)));
            }
            None => self.interest.satisfied(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
