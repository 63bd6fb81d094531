//! Kafka: three brokers that speak the real protocol, in a thread of this process. They outlive
//! the host, and can be taken down.

use std::sync::mpsc;
use std::thread;

use rdkafka::error::KafkaResult;
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

pub const TOPICS: [&str; 4] = [
    "booking-events",
    "availability-events",
    "practitioner-events",
    "reminder-events",
];
/// The host's groups: the application's name and the component's.
const GROUPS: [&str; 4] = [
    "praxis.availability",
    "praxis.booking",
    "praxis.notification",
    "praxis.search",
];
pub const BROKERS: i32 = 3;
const PARTITIONS: i32 = 6;
/// More than all groups try until they are taken again.
const REFUSALS: usize = 10_000;

/// Dropped: the brokers end.
pub struct Brokers {
    pub bootstrap: String,
    orders: mpsc::Sender<Order>,
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

enum Order {
    Down(mpsc::Sender<()>),
    Up(mpsc::Sender<()>),
    Commits {
        taken: bool,
        done: mpsc::Sender<()>,
    },
    One {
        broker: i32,
        up: bool,
        done: mpsc::Sender<()>,
    },
}

impl Brokers {
    /// Starts them, with the topics: librdkafka's mock brokers know no CreateTopics.
    pub fn start() -> Self {
        let (orders, inbox) = mpsc::channel();
        let (ready, bootstrap) = mpsc::channel();
        thread::spawn(move || {
            let cluster = MockCluster::new(BROKERS).expect("mock brokers start");
            for topic in TOPICS
                .iter()
                .flat_map(|topic| [(*topic).to_owned(), format!("{topic}.dlq")])
            {
                cluster
                    .create_topic(&topic, PARTITIONS, BROKERS)
                    .expect("a topic can be made");
            }
            ready
                .send(cluster.bootstrap_servers())
                .expect("somebody waits for it");
            for order in inbox {
                let done = match order {
                    Order::Down(done) => {
                        each(|broker| cluster.broker_down(broker));
                        done
                    }
                    Order::Up(done) => {
                        each(|broker| cluster.broker_up(broker));
                        done
                    }
                    Order::Commits { taken, done } => {
                        take_commits(&cluster, taken);
                        done
                    }
                    Order::One { broker, up, done } => {
                        switch(&cluster, broker, up).expect("a mock broker obeys");
                        done
                    }
                };
                done.send(()).expect("somebody waits for it");
            }
        });
        let bootstrap = bootstrap.recv().expect("the brokers start");
        Self { bootstrap, orders }
    }

    /// Cuts all connections and takes no new ones.
    pub fn down(&self) {
        self.order(Order::Down);
    }

    pub fn up(&self) {
        self.order(Order::Up);
    }

    /// Takes one of them down, from 1 to `BROKERS`: the next one leads what it led.
    pub fn one_down(&self, broker: i32) {
        self.order(|done| Order::One {
            broker,
            up: false,
            done,
        });
    }

    /// It is back, and leads what it led.
    pub fn one_up(&self, broker: i32) {
        self.order(|done| Order::One {
            broker,
            up: true,
            done,
        });
    }

    /// From here on no offset is stored, until `take_offsets`: whoever commits is told to come again.
    pub fn refuse_offsets(&self) {
        self.order(|done| Order::Commits { taken: false, done });
    }

    pub fn take_offsets(&self) {
        self.order(|done| Order::Commits { taken: true, done });
    }

    fn order(&self, order: impl FnOnce(mpsc::Sender<()>) -> Order) {
        let (done, wait) = mpsc::channel();
        self.orders
            .send(order(done))
            .expect("the brokers' thread lives as long as this");
        wait.recv().expect("the brokers' thread answers");
    }
}

fn take_commits(cluster: &Cluster, taken: bool) {
    cluster.clear_request_errors(RDKafkaApiKey::OffsetCommit);
    if !taken {
        let later = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
        cluster.request_errors(RDKafkaApiKey::OffsetCommit, &vec![later; REFUSALS]);
    }
}

fn switch(cluster: &Cluster, broker: i32, up: bool) -> KafkaResult<()> {
    let deputy = broker % BROKERS + 1;
    if up {
        cluster.broker_up(broker)?;
        // Cuts the deputy's connections before a group moves. A mock broker does not read from a
        // member that waits to join, so it would not see that the member has left it for `broker`,
        // and librdkafka's assertion about a member that joins twice would end this process.
        cluster.broker_down(deputy)?;
        lead(cluster, broker, broker)?;
        cluster.broker_up(deputy)
    } else {
        cluster.broker_down(broker)?;
        lead(cluster, broker, deputy)
    }
}

/// Has what belongs to one broker led by another: a mock cluster elects no leaders by itself.
fn lead(cluster: &Cluster, own: i32, by: i32) -> KafkaResult<()> {
    let belongs = |number: i32| number % BROKERS + 1 == own;
    for topic in TOPICS {
        for partition in (0..PARTITIONS).filter(|partition| belongs(*partition)) {
            cluster.partition_leader(topic, partition, Some(by))?;
            cluster.partition_leader(&format!("{topic}.dlq"), partition, Some(by))?;
        }
    }
    for (number, group) in (0..).zip(GROUPS) {
        if belongs(number) {
            cluster.coordinator(MockCoordinator::Group(group.to_owned()), by)?;
        }
    }
    Ok(())
}

fn each(mut act: impl FnMut(i32) -> KafkaResult<()>) {
    for broker in 1..=BROKERS {
        act(broker).expect("a mock broker obeys");
    }
}
