//! How slow a client may be with a body: one byte at a time would keep a component's place for
//! as long as the client likes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::manifest::limits::{Limits, SLOW_BYTES, SLOW_TIMEOUT};

/// Of this much waiting for a client, nothing is said; then it has to have moved `bytes_min`, and
/// the next window begins. It is also the longest silence.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    lasts: Duration,
    bytes_min: u64,
}

impl Window {
    pub fn new(limits: &Limits) -> Self {
        Self {
            lasts: Duration::from_millis(limits.of(&SLOW_TIMEOUT)),
            bytes_min: limits.of(&SLOW_BYTES),
        }
    }
}

/// Counts the time only in which the client was waited for: a component may take its own.
pub struct Pace {
    window: Window,
    /// In this window, before the wait that is going on.
    waited: Duration,
    bytes: u64,
    wait: Option<Wait>,
}

struct Wait {
    since: Instant,
    over: Pin<Box<Sleep>>,
}

impl Pace {
    pub fn new(window: Window) -> Self {
        Self {
            window,
            waited: Duration::ZERO,
            bytes: 0,
            wait: None,
        }
    }

    /// Nothing can be read or written now. Ready once the client was too slow.
    pub fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = self.window.lasts.saturating_sub(self.waited);
        let wait = self.wait.get_or_insert_with(|| {
            let since = Instant::now();
            Wait {
                since,
                over: Box::pin(tokio::time::sleep_until(since + left)),
            }
        });
        ready!(wait.over.as_mut().poll(context));
        if self.bytes < self.window.bytes_min {
            return Poll::Ready(());
        }
        // The next window begins with this wait: no silence is longer than one.
        self.waited = Duration::ZERO;
        self.bytes = 0;
        wait.over.as_mut().reset(wait.since + self.window.lasts);
        wait.over.as_mut().poll(context)
    }

    /// The client has sent or taken so much.
    pub fn moved(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(wait) = self.wait.take() {
            self.waited += wait.since.elapsed();
        }
    }
}
