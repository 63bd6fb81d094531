//! A member of a group that writes down what it reads.

use std::sync::Arc;

use praxis_host::capabilities::events::{Broker, Outgoing, Partition, Progress, Received, Record};
use praxis_host::clock;
use praxis_host::runtime::consumer::Event;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::waiting::within;

pub struct Reader {
    pub seen: watch::Receiver<Vec<Received>>,
    /// Partitions held now.
    pub held: watch::Receiver<usize>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What becomes of what is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Complete,
    /// As one that dies before it is done.
    NeverComplete,
}

impl Reader {
    pub async fn join(broker: &Arc<dyn Broker>, group: &str, topics: &[&str], mode: Mode) -> Self {
        let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let mut subscription = broker.subscribe(group, &topics).await.unwrap();
        let (sender, seen) = watch::channel(Vec::new());
        let (count, held) = watch::channel(0);
        let (sender, count) = (Arc::new(sender), Arc::new(count));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut partitions = JoinSet::new();
            loop {
                tokio::select! {
                    () = stopped.cancelled() => break,
                    partition = subscription.assigned() => {
                        count.send_modify(|held| *held += 1);
                        partitions.spawn(read(partition, sender.clone(), count.clone(), mode));
                    }
                }
            }
            subscription.close().await;
        });
        Self {
            seen,
            held,
            stop,
            task,
        }
    }

    /// Waits until what was read is enough, and gives it.
    pub async fn until(&mut self, enough: impl FnMut(&Vec<Received>) -> bool) -> Vec<Received> {
        within(self.seen.wait_for(enough)).await.unwrap().clone()
    }

    pub async fn until_read(&mut self, count: usize) -> Vec<Received> {
        self.until(|seen| seen.len() >= count).await
    }

    pub async fn until_held(&mut self, count: usize) {
        within(self.held.wait_for(|held| *held == count))
            .await
            .unwrap();
    }

    pub async fn leave(self) -> Vec<Received> {
        self.stop.cancel();
        within(self.task).await.unwrap();
        let seen = self.seen.borrow();
        seen.clone()
    }
}

async fn read(
    mut partition: Box<dyn Partition>,
    seen: Arc<watch::Sender<Vec<Received>>>,
    held: Arc<watch::Sender<usize>>,
    mode: Mode,
) {
    while let Some(received) = partition.next().await {
        let offset = received.offset;
        seen.send_modify(|seen| seen.push(received));
        if mode == Mode::Complete && partition.complete(Progress::through(offset)).await.is_err() {
            break;
        }
    }
    held.send_modify(|held| *held -= 1);
}

pub fn outgoing(topic: &str, key: &str, number: u64) -> Outgoing {
    let event = Event {
        kind: "Counted".to_owned(),
        key: key.to_owned(),
        stream_version: number,
        data: format!(r#"{{"number":{number}}}"#),
    };
    let time_ms = 1_767_225_600_000 + number;
    Outgoing {
        topic: topic.to_owned(),
        partition: None,
        record: Record::new(clock::id(), "tests".to_owned(), time_ms, event),
    }
}

/// The numbers of a key's events, in the order in which they were read.
pub fn numbers(received: &[Received], key: &str) -> Vec<u64> {
    received
        .iter()
        .filter(|received| received.record.event.key == key)
        .map(|received| received.record.event.stream_version)
        .collect()
}
