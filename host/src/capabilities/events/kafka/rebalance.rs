//! What a group decides about who reads what, and how it is answered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::bindings::rd_kafka_resp_err_t as Native;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc;

use super::driver::At;

/// What the group decided.
pub enum Change {
    Assign(Vec<At>),
    Revoke { partitions: Vec<At>, lost: bool },
}

/// Passes rebalances on to the driver, until it leaves.
pub struct Context {
    group: String,
    changes: mpsc::UnboundedSender<Change>,
    /// Locked while a rebalance is passed on: none is once the driver has left, for nobody would
    /// answer it, and closing would wait for that for ever.
    is_leaving: Mutex<bool>,
}

impl Context {
    pub fn new(group: &str, changes: mpsc::UnboundedSender<Change>) -> Self {
        Self {
            group: group.to_owned(),
            changes,
            is_leaving: Mutex::default(),
        }
    }

    /// From now on rebalances are answered at once: nobody waits for them any more.
    pub fn leave(&self) {
        *self.is_leaving() = true;
    }

    fn is_leaving(&self) -> MutexGuard<'_, bool> {
        // Nothing panics while it is held.
        self.is_leaving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: Native,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = what == Native::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let is_leaving = self.is_leaving();
        if *is_leaving {
            drop(is_leaving);
            let answered = match assigned {
                true => assign(consumer, partitions),
                false => unassign(consumer, partitions),
            };
            log_failure(answered, "answer a rebalance while leaving");
            return;
        }
        let elements = partitions.elements();
        let partitions = elements
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect::<Vec<At>>();
        let change = match assigned {
            true => Change::Assign(partitions),
            false => {
                let lost = consumer.assignment_lost();
                if lost && !partitions.is_empty() {
                    tracing::warn!(
                        group = self.group,
                        partitions = partitions.len(),
                        "partitions were lost: others have them, and what was not committed is \
                         delivered again"
                    );
                }
                Change::Revoke { partitions, lost }
            }
        };
        // Without a driver nobody polls, so nobody gets here.
        let _ = self.changes.send(change);
    }
}

pub fn assign(
    consumer: &impl Consumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(partitions),
    }
}

pub fn unassign(
    consumer: &impl Consumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

pub fn list(partitions: &[At]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

pub fn log_failure(result: KafkaResult<()>, what: &str) {
    if let Err(error) = result {
        tracing::warn!(%error, "could not {what}");
    }
}
