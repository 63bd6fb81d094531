//! Kafka: three brokers that speak the real protocol, in a thread of this process. They outlive
//! the host, and can be taken down.

use std::sync::mpsc;
use std::thread;

use rdkafka::mocking::MockCluster;

pub const TOPICS: [&str; 3] = [
    "booking-events",
    "availability-events",
    "practitioner-events",
];
const BROKERS: i32 = 3;
const PARTITIONS: i32 = 6;

/// Dropped: the brokers end.
pub struct Brokers {
    pub bootstrap: String,
    orders: mpsc::Sender<Order>,
}

enum Order {
    Down(mpsc::Sender<()>),
    Up(mpsc::Sender<()>),
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

    fn order(&self, order: fn(mpsc::Sender<()>) -> Order) {
        let (done, wait) = mpsc::channel();
        self.orders
            .send(order(done))
            .expect("the brokers' thread lives as long as this");
        wait.recv().expect("the brokers' thread answers");
    }
}

fn each(mut act: impl FnMut(i32) -> rdkafka::error::KafkaResult<()>) {
    for broker in 1..=BROKERS {
        act(broker).expect("a mock broker obeys");
    }
}
