//! How slow a client may be with a body: one byte at a time would keep a component's place for
//! as long as the client likes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Of this much waiting for a client, nothing is said; then it has to have moved
/// `WINDOW_BYTES_MIN`, and the next window begins. It is also the longest silence.
const WINDOW: Duration = Duration::from_secs(10);
/// 1 KiB/s.
const WINDOW_BYTES_MIN: u64 = 10 << 10;

/// Counts the time only in which the client was waited for: a component may take its own.
#[derive(Default)]
pub struct Pace {
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
    /// Nothing can be read or written now. Ready once the client was too slow.
    pub fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = WINDOW.saturating_sub(self.waited);
        let wait = self.wait.get_or_insert_with(|| {
            let since = Instant::now();
            Wait {
                since,
                over: Box::pin(tokio::time::sleep_until(since + left)),
            }
        });
        ready!(wait.over.as_mut().poll(context));
        if self.bytes < WINDOW_BYTES_MIN {
            return Poll::Ready(());
        }
        // The next window begins with this wait: no silence is longer than one.
        self.waited = Duration::ZERO;
        self.bytes = 0;
        wait.over.as_mut().reset(wait.since + WINDOW);
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
