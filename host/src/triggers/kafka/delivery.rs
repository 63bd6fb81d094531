//! One event: tried until it is handled or given up on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Group;
use crate::capabilities::events::{
    Broker, DeadLetter, Error, Outgoing, Received, Record, dead_letter_topic,
};
use crate::clock;
use crate::runtime::consumer::{Delivery, Handler, Outcome, Publication};
use crate::triggers::backoff::backoff;

/// Tries that end in a trap or in no time left, before the event is given up on: what fails by
/// itself must not hold up its partition as long as an outage may.
const FAULTS_MAX: u32 = 12;

/// A reason is kept with the dead letter, in a header.
const REASON_BYTES_MAX: usize = 1_024;

/// Brings a group's events to its component.
pub struct Courier {
    pub broker: Arc<dyn Broker>,
    pub group: Group,
    pub handler: Arc<dyn Handler>,
}

/// How it ended.
pub enum Ended {
    /// Handled, or among the dead letters.
    Finished,
    /// The partition was revoked first: whoever has it next tries again.
    Abandoned,
}

impl Courier {
    pub async fn deliver(&self, received: &Received, revoked: &CancellationToken) -> Ended {
        if let Some(fault) = &received.malformed {
            return self.give_up(received, 0, fault, revoked).await;
        }
        let attempts_max = self.group.attempts_max.get(&received.topic).copied();
        let attempts_max = attempts_max.unwrap_or(1);
        let mut pauses = backoff(self.group.pace.first_ms, self.group.pace.ms_max);
        let mut attempt = 1;
        let mut faults = 0;
        loop {
            match self.attempt(received, attempt).await {
                Outcome::Done(publications) => {
                    let outgoing = self.outgoing(received, publications);
                    return self.finish(received, attempt, outgoing, revoked).await;
                }
                Outcome::Reject(reason) => {
                    return self.give_up(received, attempt, &reason, revoked).await;
                }
                Outcome::Fault(reason) => {
                    faults += 1;
                    if faults >= FAULTS_MAX || attempt >= attempts_max {
                        return self.give_up(received, attempt, &reason, revoked).await;
                    }
                    self.postpone(received, attempt, &reason);
                }
                Outcome::Retry(reason) if attempt >= attempts_max => {
                    return self.give_up(received, attempt, &reason, revoked).await;
                }
                Outcome::Retry(reason) => self.postpone(received, attempt, &reason),
            }
            attempt += 1;
            let pause = tokio::time::sleep(pauses());
            if revoked.run_until_cancelled(pause).await.is_none() {
                return Ended::Abandoned;
            }
        }
    }

    fn postpone(&self, received: &Received, attempt: u32, reason: &str) {
        tracing::warn!(
            event.id = %received.record.id,
            event.topic = received.topic,
            event.kind = received.record.event.kind,
            component = self.group.component,
            attempt,
            reason,
            "an event will be tried again"
        );
    }

    async fn attempt(&self, received: &Received, attempt: u32) -> Outcome {
        let delivery = Delivery {
            id: received.record.id.to_string(),
            source: received.record.source.clone(),
            time_ms: received.record.time_ms,
            topic: received.topic.clone(),
            partition: received.partition,
            offset: received.offset,
            attempt,
            event: received.record.event.clone(),
        };
        let started = Instant::now();
        let handled = AssertUnwindSafe(self.handler.handle(&delivery));
        let outcome = handled.catch_unwind().await.unwrap_or_else(|_| {
            Outcome::Fault("the host panicked while it handled the event".to_owned())
        });
        let name = match &outcome {
            Outcome::Done(_) => "done",
            Outcome::Retry(_) => "retry",
            Outcome::Fault(_) => "fault",
            Outcome::Reject(_) => "reject",
        };
        let labels = [
            ("group", self.group.name.clone()),
            ("topic", received.topic.clone()),
            ("outcome", name.to_owned()),
        ];
        metrics::histogram!("event.handler.seconds", &labels).record(started.elapsed());
        metrics::counter!("event.handled", &labels).increment(1);
        outcome
    }

    /// What the handling published, as records. Each id follows from the event's: a repeated
    /// handling publishes the same ids.
    fn outgoing(&self, received: &Received, publications: Vec<Publication>) -> Vec<Outgoing> {
        let component = &self.group.component;
        release(
            received.record.id,
            component,
            publications,
            received.record.traceparent.as_deref(),
        )
    }

    /// Releases what was published.
    async fn finish(
        &self,
        received: &Received,
        attempts: u32,
        outgoing: Vec<Outgoing>,
        revoked: &CancellationToken,
    ) -> Ended {
        match self.publish(&outgoing, revoked).await {
            Some(Ok(())) => Ended::Finished,
            Some(Err(topic)) => {
                let reason = format!("it published to {topic}, which is not there");
                self.give_up(received, attempts, &reason, revoked).await
            }
            None => Ended::Abandoned,
        }
    }

    /// Puts the event among the dead letters.
    async fn give_up(
        &self,
        received: &Received,
        attempts: u32,
        reason: &str,
        revoked: &CancellationToken,
    ) -> Ended {
        tracing::error!(
            event.id = %received.record.id,
            event.topic = received.topic,
            event.kind = received.record.event.kind,
            event.partition = received.partition,
            event.offset = received.offset,
            component = self.group.component,
            attempts,
            reason,
            "an event is given up on"
        );
        metrics::counter!(
            "event.dead_letters",
            "group" => self.group.name.clone(),
            "topic" => received.topic.clone()
        )
        .increment(1);
        let letter = Outgoing {
            topic: dead_letter_topic(&received.topic),
            partition: None,
            record: Record {
                dead_letter: Some(DeadLetter {
                    reason: reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned(),
                    attempts,
                    group: self.group.name.clone(),
                    version: String::new(),
                    component: self.group.component.clone(),
                    topic: received.topic.clone(),
                    partition: received.partition,
                    offset: received.offset,
                }),
                ..received.record.clone()
            },
        };
        match self.publish(&[letter], revoked).await {
            Some(Ok(())) => Ended::Finished,
            Some(Err(topic)) => {
                tracing::error!(
                    event.topic = topic,
                    "there is no topic for dead letters: it is lost"
                );
                Ended::Finished
            }
            None => Ended::Abandoned,
        }
    }

    /// Publishes, however long the broker takes to come back. The name of a topic that is not
    /// there is an error; `None` means that the partition was revoked first.
    async fn publish(
        &self,
        batch: &[Outgoing],
        revoked: &CancellationToken,
    ) -> Option<Result<(), String>> {
        let mut pauses = backoff(self.group.pace.first_ms, self.group.pace.ms_max);
        if batch.is_empty() {
            return Some(Ok(()));
        }
        loop {
            match self.broker.publish(batch).await {
                Ok(()) => return Some(Ok(())),
                Err(Error::UnknownTopic(topic)) => return Some(Err(topic)),
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

/// What the handling of the event `cause` published, as records.
pub fn release(
    cause: Uuid,
    component: &str,
    publications: Vec<Publication>,
    traceparent: Option<&str>,
) -> Vec<Outgoing> {
    let time_ms = clock::now().timestamp_millis().unsigned_abs();
    publications
        .into_iter()
        .enumerate()
        .map(|(position, publication)| Outgoing {
            topic: publication.topic,
            partition: None,
            record: Record {
                traceparent: traceparent.map(str::to_owned),
                ..Record::new(
                    Uuid::new_v5(&cause, format!("{component}/{position}").as_bytes()),
                    component.to_owned(),
                    time_ms,
                    publication.event,
                )
            },
        })
        .collect()
}
