//! One try of an event, and what becomes of the event then.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::job::{Job, cut};
use super::watch::{Shown, State};
use super::{Group, Terms};
use crate::capabilities::events::{Broker, Error, Outgoing, Record, dead_letter_topic, trace};
use crate::clock;
use crate::manifest::OnExhausted;
use crate::runtime::consumer::{Delivery, Handler, Outcome, Publication};
use crate::triggers::backoff::{backoff, longest};

/// Tries that end in a trap or in no time left, before the event is given up on: what fails by
/// itself must not hold up its key as long as an outage may.
const FAULTS_MAX: u32 = 12;

/// Brings a group's events to its component.
pub struct Courier {
    pub broker: Arc<dyn Broker>,
    pub group: Group,
    pub handler: Arc<dyn Handler>,
}

/// A partition's part in a delivery.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    pub terms: Terms,
    pub shown: &'a Shown,
    pub revoked: &'a CancellationToken,
}

/// How a try ended.
pub enum Ended {
    /// The event is handled, or among the dead letters.
    Finished,
    /// It is to be tried again.
    Again {
        reason: String,
        pause: Duration,
        state: State,
    },
    /// It was not looked at: it is to be handled after others of its batch.
    HeldBack,
    /// The partition was revoked first: whoever has it next tries again.
    Abandoned,
}

/// Why the broker did not take what was published, and won't.
enum Untaken {
    /// Nobody made this topic.
    NoTopic(String),
    /// It refuses it, for this reason.
    Refused(String),
}

impl Courier {
    pub async fn deliver(&self, job: &mut Job, lane: Lane<'_>) -> Ended {
        // That stays so if its letter cannot be written yet: at every try.
        if let Some((attempts, reason)) = job.hopeless(lane.shown) {
            return self.give_up(job, attempts, &reason, lane).await;
        }
        let started = Instant::now();
        let handled = caught(self.handler.handle(&job.delivery)).await;
        let outcome = handled.unwrap_or_else(|fault| fault);
        lane.shown.handled(&outcome, started.elapsed());
        self.conclude(job, outcome, lane).await
    }

    /// Does what the outcome asks for.
    pub async fn conclude(&self, job: &mut Job, outcome: Outcome, lane: Lane<'_>) -> Ended {
        let attempt = job.delivery.attempt;
        let (reason, is_last) = match outcome {
            Outcome::Done(publications) if publications.is_empty() => return Ended::Finished,
            Outcome::Done(publications) => {
                let outgoing = self.outgoing(job, publications);
                match self.publish(&outgoing, lane.revoked).await {
                    Some(Ok(())) => return Ended::Finished,
                    Some(Err(Untaken::NoTopic(topic))) => {
                        let reason = format!("it published to {topic}, which is not there");
                        (reason, attempt >= lane.terms.attempts_max)
                    }
                    // However often it is handled, it would be refused.
                    Some(Err(Untaken::Refused(reason))) => {
                        (format!("what it published was refused: {reason}"), true)
                    }
                    None => return Ended::Abandoned,
                }
            }
            // Where nothing may be left out, not even that: a person has to say so.
            Outcome::Reject(reason) => (reason, true),
            Outcome::Retry(reason) => (reason, attempt >= lane.terms.attempts_max),
            Outcome::Fault(reason) => {
                job.faults += 1;
                let is_last = job.faults >= FAULTS_MAX || attempt >= lane.terms.attempts_max;
                (reason, is_last)
            }
        };
        let state = match (is_last, lane.terms.on_exhausted) {
            (false, _) => State::Retrying,
            (true, OnExhausted::Park) => State::Parked,
            (true, OnExhausted::DeadLetter) => {
                return self.give_up(job, attempt, &reason, lane).await;
            }
        };
        let pace = self.group.pace;
        let pause = match state {
            State::Retrying => job.pause(pace),
            State::Parked => longest(pace.ms_max),
        };
        self.postpone(job, state, &reason);
        Ended::Again {
            reason,
            pause,
            state,
        }
    }

    fn postpone(&self, job: &Job, state: State, reason: &str) {
        let what = match state {
            State::Retrying => "an event will be tried again",
            State::Parked => "an event cannot be handled, nor left out: its key is held",
        };
        let delivery = &job.delivery;
        tracing::warn!(
            event.id = delivery.id,
            event.topic = delivery.topic,
            event.kind = delivery.event.kind,
            component = self.group.component,
            attempt = delivery.attempt,
            reason,
            "{what}"
        );
    }

    /// What the handling published, as records. Each id follows from the event's: a repeated
    /// handling publishes the same ids.
    fn outgoing(&self, job: &Job, publications: Vec<Publication>) -> Vec<Outgoing> {
        release(&job.delivery, job.id, &self.group.component, publications)
    }

    /// Puts the event among the dead letters: without its payload if the broker does not take it
    /// whole. Where they have no topic, or it takes none at all, it is not lost: its key is held
    /// until that works.
    async fn give_up(&self, job: &Job, attempts: u32, reason: &str, lane: Lane<'_>) -> Ended {
        let delivery = &job.delivery;
        tracing::error!(
            event.id = delivery.id,
            event.topic = delivery.topic,
            event.kind = delivery.event.kind,
            event.partition = delivery.partition,
            event.offset = delivery.offset,
            component = self.group.component,
            attempts,
            reason,
            "an event is given up on"
        );
        let mut letter = Outgoing {
            topic: dead_letter_topic(&delivery.topic),
            partition: None,
            record: job.letter(&self.group, self.handler.version(), attempts, reason),
        };
        let mut written = self.publish(from_ref(&letter), lane.revoked).await;
        if let Some(Err(Untaken::Refused(refusal))) = &written {
            tracing::error!(
                event.id = delivery.id,
                event.topic = delivery.topic,
                reason = refusal,
                "a dead letter was refused: it is written without its payload"
            );
            letter.record = cut(letter.record);
            written = self.publish(from_ref(&letter), lane.revoked).await;
        }
        match written {
            Some(Ok(())) => {}
            Some(Err(untaken)) => {
                let reason = match untaken {
                    Untaken::NoTopic(topic) => {
                        format!("there is no topic {topic} for it; {reason}")
                    }
                    Untaken::Refused(refusal) => {
                        format!("its dead letter was refused: {refusal}; {reason}")
                    }
                };
                self.postpone(job, State::Parked, &reason);
                return Ended::Again {
                    reason,
                    pause: longest(self.group.pace.ms_max),
                    state: State::Parked,
                };
            }
            None => return Ended::Abandoned,
        }
        lane.shown.gave_up();
        Ended::Finished
    }

    /// Publishes, however long the broker takes to come back. `None` means that the partition was
    /// revoked first.
    async fn publish(
        &self,
        batch: &[Outgoing],
        revoked: &CancellationToken,
    ) -> Option<Result<(), Untaken>> {
        let mut pauses = backoff(self.group.pace.first_ms, self.group.pace.ms_max);
        let mut parts: VecDeque<&[Outgoing]> = VecDeque::from([batch]);
        loop {
            let Some(part) = parts.front() else {
                return Some(Ok(()));
            };
            match self.broker.publish(part).await {
                Ok(()) => {
                    parts.pop_front();
                    continue;
                }
                Err(Error::UnknownTopic(topic)) => return Some(Err(Untaken::NoTopic(topic))),
                // Each alone may be taken.
                Err(Error::Refused(_)) if part.len() > 1 => {
                    parts = batch.chunks(1).collect();
                    continue;
                }
                Err(Error::Refused(reason)) => return Some(Err(Untaken::Refused(reason))),
                Err(error @ (Error::Unavailable(_) | Error::Lost)) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    component = self.group.component,
                    "what a handling published waits"
                ),
            }
            revoked
                .run_until_cancelled(tokio::time::sleep(pauses()))
                .await?;
        }
    }
}

/// A panic of the host is a fault of the event.
pub async fn caught<T>(handling: impl Future<Output = T>) -> Result<T, Outcome> {
    let handled = AssertUnwindSafe(handling).catch_unwind().await;
    handled.map_err(|_| Outcome::Fault("the host panicked while it handled the event".to_owned()))
}

/// What the handling of the event with the id `cause` published, as records of its trace.
pub fn release(
    delivery: &Delivery,
    cause: Uuid,
    component: &str,
    publications: Vec<Publication>,
) -> Vec<Outgoing> {
    let traceparent = delivery.traceparent.as_deref();
    let time_ms = clock::now().timestamp_millis().unsigned_abs();
    publications
        .into_iter()
        .enumerate()
        .map(|(position, publication)| {
            let id = Uuid::new_v5(&cause, format!("{component}/{position}").as_bytes());
            Outgoing {
                topic: publication.topic,
                partition: None,
                record: Record {
                    traceparent: Some(trace::go_on(traceparent, id)),
                    ..Record::new(id, component.to_owned(), time_ms, publication.event)
                },
            }
        })
        .collect()
}
