//! Publishes, each key in its order, also through a broker's outage or a halt of this host.
//!
//! No record that the client has is given up on: each would have a time of its own, and after a halt
//! an earlier one could be dropped while a later one of its key still goes out. So only the *wait*
//! has a limit. What nobody waits for any more stays under way, and whoever publishes it again waits
//! for that instead of adding to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use uuid::Uuid;

use super::super::{Error, Outgoing, Record, cloudevents};
use super::{Options, client, named, reading};

/// What the client may hold of records that are not acknowledged; then nothing more is taken.
const QUEUE_RECORDS_MAX: u32 = 100_000;
const QUEUE_KIB_MAX: u32 = 256 * 1024;

/// No limit.
const NEVER: &str = "0";

pub struct Producer {
    options: Arc<Options>,
    client: Mutex<FutureProducer>,
    underway: Mutex<Underway>,
}

impl Producer {
    pub fn new(options: Arc<Options>) -> Result<Self, KafkaError> {
        let client = Mutex::new(connect(&options)?);
        Ok(Self {
            options,
            client,
            underway: Mutex::default(),
        })
    }

    pub fn client(&self) -> FutureProducer {
        locked(&self.client).clone()
    }

    /// As `Broker::publish`.
    pub async fn publish(&self, batch: &[Outgoing]) -> Result<(), Error> {
        let client = self.client();
        let mut deliveries = Vec::with_capacity(batch.len());
        let mut failed = None;
        for outgoing in batch {
            let delivery = match locked(&self.underway).take(outgoing) {
                Some(delivery) => Ok(delivery),
                None => self.hand_over(&client, outgoing),
            };
            match delivery {
                Ok(delivery) => deliveries.push((delivery, outgoing)),
                Err(error) => {
                    failed = Some((error, outgoing));
                    break;
                }
            }
        }
        // All are waited for, also after one failed.
        let late = tokio::time::sleep(Duration::from_millis(self.options.delivery_ms_max));
        let mut late = std::pin::pin!(late);
        let mut unanswered = Vec::new();
        for (mut delivery, outgoing) in deliveries {
            let answer = tokio::select! {
                biased;
                answer = &mut delivery => answer,
                () = &mut late => {
                    unanswered.push((delivery, outgoing));
                    continue;
                }
            };
            let error = match answer {
                Ok(Ok(_)) => continue,
                Ok(Err((error, _))) => error,
                Err(_) => KafkaError::Canceled,
            };
            failed.get_or_insert((error, outgoing));
        }
        if let Some((_, first)) = unanswered.first() {
            failed.get_or_insert((timed_out(), first));
            let mut underway = locked(&self.underway);
            underway.forget_answered();
            for (delivery, outgoing) in unanswered {
                underway.add(outgoing.clone(), delivery);
            }
        }
        let Some((error, outgoing)) = failed else {
            return Ok(());
        };
        self.replace_if_broken(&client);
        Err(named(error, &outgoing.topic))
    }

    fn hand_over(
        &self,
        client: &FutureProducer,
        outgoing: &Outgoing,
    ) -> Result<DeliveryFuture, KafkaError> {
        let topic = self.options.full(&outgoing.topic);
        let event = &outgoing.record.event;
        let mut record = FutureRecord::to(&topic)
            .key(&event.key)
            .payload(&event.data)
            .headers(headers(outgoing));
        record.partition = outgoing.partition.map(reading::number);
        client.send_result(record).map_err(|(error, _)| error)
    }

    /// A fatal error ends an idempotent producer: a new one takes its place.
    fn replace_if_broken(&self, broken: &FutureProducer) {
        let Some((code, reason)) = broken.client().fatal_error() else {
            return;
        };
        tracing::error!(?code, reason, "the kafka producer is replaced");
        let mut current = locked(&self.client);
        if current.client().native_ptr() != broken.client().native_ptr() {
            return;
        }
        match connect(&self.options) {
            Ok(client) => *current = client,
            Err(error) => tracing::error!(%error, "could not make a kafka producer"),
        }
    }
}

/// Records that the client has, and that nobody waits for.
#[derive(Default)]
struct Underway(HashMap<Uuid, Vec<(Outgoing, DeliveryFuture)>>);

impl Underway {
    fn add(&mut self, outgoing: Outgoing, delivery: DeliveryFuture) {
        let same = self.0.entry(outgoing.record.id).or_default();
        same.push((outgoing, delivery));
    }

    /// What becomes of this very record, if it is under way.
    fn take(&mut self, outgoing: &Outgoing) -> Option<DeliveryFuture> {
        let same = self.0.get_mut(&outgoing.record.id)?;
        let at = same.iter().position(|(is, _)| is == outgoing)?;
        let (_, delivery) = same.swap_remove(at);
        if same.is_empty() {
            self.0.remove(&outgoing.record.id);
        }
        Some(delivery)
    }

    fn forget_answered(&mut self) {
        self.0.retain(|_, same| {
            same.retain_mut(|(_, delivery)| delivery.now_or_never().is_none());
            !same.is_empty()
        });
    }
}

fn connect(options: &Options) -> Result<FutureProducer, KafkaError> {
    client(options)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", NEVER)
        .set(
            "queue.buffering.max.messages",
            QUEUE_RECORDS_MAX.to_string(),
        )
        .set("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string())
        .set("linger.ms", "1")
        .create()
}

fn timed_out() -> KafkaError {
    KafkaError::MessageProduction(RDKafkaErrorCode::OperationTimedOut)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds the lock")
}

fn headers(outgoing: &Outgoing) -> OwnedHeaders {
    let Record { others, .. } = &outgoing.record;
    let headers = cloudevents::headers(&outgoing.record);
    let empty = OwnedHeaders::new_with_capacity(headers.len() + others.len());
    let headers = headers.iter().fold(empty, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    });
    others.iter().fold(headers, |headers, other| {
        headers.insert(Header {
            key: &other.name,
            value: other.value.as_ref(),
        })
    })
}
