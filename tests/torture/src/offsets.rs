//! The point before the offset where Kafka keeps the offsets: brokers store none any more, a host
//! handles something, and dies.

use std::time::Duration;

use praxis_tests::brokers::Brokers;
use tokio::time::{sleep, timeout};

use crate::proxy::Point;
use crate::world::World;

const LOOK_EVERY_MS: u64 = 20;
const HANDLED: &str = "event_handled_total{";

/// Kills the next host that has handled an event whose offset nobody stores; none if none did in time.
pub async fn catch(world: &World, brokers: &Brokers, within: Duration) -> Option<usize> {
    brokers.refuse_offsets();
    let caught = timeout(within, until_handled(world)).await.ok();
    if let Some(host) = caught {
        world.hosts[host].kill();
        world.hosts[host].reap().await;
        world.trap.pass(Point::BeforeOffset);
    }
    brokers.take_offsets();
    caught
}

/// The first host that has handled more than it had.
async fn until_handled(world: &World) -> usize {
    let mut before = Vec::new();
    for host in 0..world.hosts.len() {
        before.push(handled(world, host).await);
    }
    loop {
        for (host, before) in before.iter().enumerate() {
            let now = handled(world, host).await;
            // One that does not answer, or has just begun to, has nothing to compare.
            if before.is_some() && now > *before {
                return host;
            }
        }
        sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
}

/// How many events a host says that it has handled.
async fn handled(world: &World, host: usize) -> Option<u64> {
    let url = format!("{}/metrics", world.hosts[host].base);
    let answer = world.api.client.get(url).send().await.ok()?;
    let text = answer.text().await.ok()?;
    let counts = text.lines().filter(|line| line.starts_with(HANDLED));
    let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    Some(counts.sum())
}
