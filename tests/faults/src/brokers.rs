//! Kafka: three brokers that speak the real protocol, in a thread of this process.

use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, anyhow};
use rdkafka::error::KafkaResult;
use rdkafka::mocking::{MockCluster, MockCoordinator};

use crate::manifest::{
    Component, DEAD_LETTERS, FOLLOW_UP_DEAD_LETTERS, FOLLOW_UP_PARTITIONS, FOLLOW_UPS, PARTITIONS,
    TOPIC,
};

const BROKERS: i32 = 3;

const TOPICS: [(&str, u32); 4] = [
    (TOPIC, PARTITIONS),
    (DEAD_LETTERS, 1),
    (FOLLOW_UPS, FOLLOW_UP_PARTITIONS),
    (FOLLOW_UP_DEAD_LETTERS, 1),
];

type Cluster = MockCluster<'static, rdkafka::producer::DefaultProducerContext>;

/// Dropped: the brokers end.
pub struct Brokers {
    pub bootstrap: String,
    orders: mpsc::Sender<Order>,
}

struct Order {
    broker: i32,
    up: bool,
    done: mpsc::Sender<KafkaResult<()>>,
}

impl Brokers {
    /// Starts them, with the topics: librdkafka's mock brokers know no CreateTopics.
    pub fn start() -> anyhow::Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let (ready, bootstrap) = mpsc::channel();
        thread::spawn(move || {
            let cluster = match start() {
                Ok(cluster) => cluster,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let told = ready.send(Ok(cluster.bootstrap_servers()));
            told.expect("somebody waits for it");
            for order in inbox {
                let done = switch(&cluster, order.broker, order.up);
                order.done.send(done).expect("somebody waits for it");
            }
        });
        let bootstrap = bootstrap.recv().context("the brokers' thread ended")?;
        Ok(Self {
            bootstrap: bootstrap.context("could not start mock brokers")?,
            orders,
        })
    }

    /// Cuts the broker's connections and takes no new ones; the others lead what it led.
    pub fn down(&self, broker: i32) -> anyhow::Result<()> {
        self.order(broker, false)
    }

    /// It is back, and leads what it led.
    pub fn up(&self, broker: i32) -> anyhow::Result<()> {
        self.order(broker, true)
    }

    fn order(&self, broker: i32, up: bool) -> anyhow::Result<()> {
        let (done, wait) = mpsc::channel();
        let order = Order { broker, up, done };
        let sent = self.orders.send(order);
        sent.map_err(|_| anyhow!("the brokers' thread ended"))?;
        let done = wait.recv().context("the brokers' thread ended")?;
        done.with_context(|| format!("could not switch broker {broker}"))
    }
}

fn start() -> KafkaResult<Cluster> {
    let cluster = MockCluster::new(BROKERS)?;
    for (topic, partitions) in TOPICS {
        cluster.create_topic(topic, number(partitions), BROKERS)?;
    }
    for broker in 1..=BROKERS {
        lead(&cluster, broker, broker)?;
    }
    Ok(cluster)
}

fn switch(cluster: &Cluster, broker: i32, up: bool) -> KafkaResult<()> {
    if up {
        cluster.broker_up(broker)?;
        lead(cluster, broker, broker)
    } else {
        cluster.broker_down(broker)?;
        lead(cluster, broker, broker % BROKERS + 1)
    }
}

/// Has what belongs to one broker led by another: a mock cluster elects no leaders by itself.
fn lead(cluster: &Cluster, own: i32, by: i32) -> KafkaResult<()> {
    for (topic, partitions) in TOPICS {
        // Of each topic the first broker has the first partition.
        for partition in (0..number(partitions)).filter(|at| at % BROKERS + 1 == own) {
            cluster.partition_leader(topic, partition, Some(by))?;
        }
    }
    // It has the most to lose.
    if own == 1 {
        for component in Component::ALL {
            let group = component.group().to_owned();
            cluster.coordinator(MockCoordinator::Group(group), by)?;
        }
    }
    Ok(())
}

fn number(partitions: u32) -> i32 {
    i32::try_from(partitions).expect("there are few")
}
