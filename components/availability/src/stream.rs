//! `GET /v1/practitioners/{id}/availability/stream`: server-sent events (WHATWG HTML, section 9.2),
//! so that an open page sees within a second what is taken and what comes free.
//!
//! A component can't be told by Redis, so each stream looks: one field of one hash, twice a second.
//! The days themselves are read only when that has changed, or when time has taken a slot.

use bytes::Bytes;
use futures::SinkExt as _;
use futures::channel::mpsc::Sender;
use http::header;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use praxis_platform::cache::{self, Cache};
use praxis_platform::clock;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use spin_sdk::http::{BoxBody, HeaderValue, StatusCode, body, box_body};
use spin_sdk::wasip3;
use uuid::Uuid;

use crate::answer::{self, Availability};
use crate::bitmap;

/// How often a stream looks whether anything has changed: twice within the second that is promised.
const LOOK_EVERY_MS: u64 = 500;
/// After so long without an event a comment is sent, so that proxies see that the stream is alive.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(15);
/// How long a stream lives; then the client comes back. Less than `request_timeout_ms` of the
/// component `live` in spin.toml, after which the host would cut it.
const LIFE_MAX: SignedDuration = SignedDuration::from_mins(4);
/// Streams that were opened together end as far apart as this.
const LIFE_SPREAD: SignedDuration = SignedDuration::from_mins(1);
/// When a client comes back whose stream has ended in order.
const RETRY_MS: u64 = 1_000;
/// When it does while the cache is away.
const RETRY_LATER_MS: u64 = 15_000;

/// The stream begins with all days of the range; each further event has the days that are not as
/// they were. Nothing is lost between two streams: the next one begins with all of them again.
pub async fn get(
    request: &Request,
    practitioner: Uuid,
) -> Result<http::Response<BoxBody>, Problem> {
    let (from, to) = answer::range(request)?;
    let live = Live {
        practitioner,
        from,
        to,
        // Without it, each look would be one at the database.
        cache: Cache::open().await?,
    };
    let seen = live.version().await?;
    let shown = live.days(clock::now()).await?;
    let (client, stream) = body::stream::<Bytes>();
    wasip3::spawn(async move {
        let mut line = Line { client };
        let ended = live.run(&mut line, seen, shown).await;
        if ended == Ended::Failed {
            // Not at once: whatever is away may be away for all streams.
            line.send(format!("retry: {RETRY_LATER_MS}\n\n")).await;
        }
    });
    let mut response = http::Response::new(box_body(stream));
    *response.status_mut() = StatusCode::OK;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Why a stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Its time is up, nobody listens, or there is nothing to listen to.
    InOrder,
    /// The days can't be read now.
    Failed,
}

struct Live {
    practitioner: Uuid,
    from: Date,
    to: Date,
    cache: Cache,
}

impl Live {
    async fn version(&self) -> Result<Option<String>, cache::Error> {
        bitmap::version(&self.cache, self.practitioner).await
    }

    async fn days(&self, now: Timestamp) -> Result<Availability, Problem> {
        answer::free(Ok(&self.cache), self.practitioner, self.from, self.to, now).await
    }

    async fn run(
        &self,
        line: &mut Line,
        mut seen: Option<String>,
        mut shown: Availability,
    ) -> Ended {
        let begun = clock::now();
        let ends = begun + life();
        let (mut told, mut holds_until) = (begun, shown.holds_until(begun));
        if !line.send(format!("retry: {RETRY_MS}\n\n")).await || !line.tell(&shown).await {
            return Ended::InOrder;
        }
        loop {
            clock::pause(LOOK_EVERY_MS).await;
            let now = clock::now();
            if now >= ends {
                return Ended::InOrder;
            }
            // Before the days: what changes in between is seen again.
            let Ok(version) = self.version().await else {
                return Ended::Failed;
            };
            let is_listening = if version != seen || now >= holds_until {
                let free = match self.days(now).await {
                    Ok(free) => free,
                    // They have left: who comes back is told so.
                    Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
                        return Ended::InOrder;
                    }
                    Err(_) => return Ended::Failed,
                };
                (seen, holds_until) = (version, free.holds_until(now));
                let changed = free.changed_since(&shown);
                shown = free;
                match changed {
                    Some(changed) => {
                        told = now;
                        line.tell(&changed).await
                    }
                    None => true,
                }
            } else if now.duration_since(told) >= HEARTBEAT {
                told = now;
                line.send(":\n\n".to_owned()).await
            } else {
                true
            };
            if !is_listening {
                return Ended::InOrder;
            }
        }
    }
}

/// Not the same for all: the streams that were cut when a host stopped begin together.
fn life() -> SignedDuration {
    let [.., chance] = clock::new_id().into_bytes();
    LIFE_MAX - LIFE_SPREAD * i32::from(chance) / i32::from(u8::MAX)
}

/// The way to the client.
struct Line {
    client: Sender<Bytes>,
}

impl Line {
    /// False: nobody listens any more.
    async fn send(&mut self, text: String) -> bool {
        self.client.send(text.into()).await.is_ok()
    }

    async fn tell(&mut self, days: &Availability) -> bool {
        let json = serde_json::to_string(days).expect("our answers are maps with text keys");
        self.send(format!("event: availability\ndata: {json}\n\n"))
            .await
    }
}
