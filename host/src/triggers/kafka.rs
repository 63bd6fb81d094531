//! `[[trigger.kafka]]`: a component is called for each event of its topics.
//!
//! One task a partition, so that one that waits holds up no other. What a handling publishes is
//! released before the event counts as done: a crash in between repeats both, with the same ids.

mod delivery;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backoff::backoff;
use crate::capabilities::events::{Broker, Error, Partition, Received};
use crate::manifest::Manifest;
use crate::runtime::consumer::Handler;
use delivery::{Courier, Ended};

pub use delivery::release;

const RETRY_FIRST_MS: u64 = 200;
const RETRY_MS_MAX: u64 = 30_000;

/// A component's consumer group: all of its topics, under one name.
#[derive(Clone)]
pub struct Group {
    pub name: String,
    pub component: String,
    /// Its topics, and how often each one's events are tried.
    pub attempts_max: BTreeMap<String, u32>,
    pub pace: Pace,
}

/// How long the pauses between two tries are.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub first_ms: u64,
    pub ms_max: u64,
}

impl Default for Pace {
    /// With the manifest's 12 tries, minutes go by before an event is given up on.
    fn default() -> Self {
        Self {
            first_ms: RETRY_FIRST_MS,
            ms_max: RETRY_MS_MAX,
        }
    }
}

/// The groups that the manifest asks for: triggers of one component with one group name are one.
pub fn groups(manifest: &Manifest) -> Vec<Group> {
    let mut groups = HashMap::new();
    for trigger in &manifest.trigger.kafka {
        let name = manifest.group(trigger);
        let group = groups
            .entry((name.clone(), trigger.component.clone()))
            .or_insert_with(|| Group {
                name,
                component: trigger.component.clone(),
                attempts_max: BTreeMap::new(),
                pace: Pace::default(),
            });
        group
            .attempts_max
            .insert(trigger.topic.clone(), trigger.max_attempts);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (&a.name, &a.component).cmp(&(&b.name, &b.component)));
    groups
}

/// Consumes until `stop`, whatever happens to the broker meanwhile. Then what is being handled is
/// finished (within `events::DRAIN_MS_MAX`) and committed.
pub async fn run(
    broker: Arc<dyn Broker>,
    group: Group,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
) {
    let topics: Vec<_> = group.attempts_max.keys().cloned().collect();
    let mut pauses = backoff(group.pace.first_ms, group.pace.ms_max);
    let subscribing = async {
        loop {
            match broker.subscribe(&group.name, &topics).await {
                Ok(subscription) => return subscription,
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    group = group.name,
                    "could not join the group"
                ),
            }
            tokio::time::sleep(pauses()).await;
        }
    };
    let Some(mut subscription) = stop.run_until_cancelled(subscribing).await else {
        return;
    };
    let courier = Arc::new(Courier {
        broker,
        group,
        handler,
    });
    let mut partitions = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            partition = subscription.assigned() => {
                partitions.spawn(drain(courier.clone(), partition));
            }
            Some(drained) = partitions.join_next() => {
                // The partition was dropped with its task, and will be assigned again.
                if let Err(error) = drained {
                    tracing::error!(%error, "reading a partition failed");
                }
            }
        }
    }
    subscription.close().await;
    partitions.shutdown().await;
}

/// Handles a partition's events one after the other until it is revoked.
async fn drain(courier: Arc<Courier>, mut partition: Box<dyn Partition>) {
    let revoked = partition.revoked();
    while let Some(received) = partition.next().await {
        match courier.deliver(&received, &revoked).await {
            Ended::Finished => {}
            Ended::Abandoned => break,
        }
        if !completed(&mut *partition, &received).await {
            break;
        }
    }
}

/// Whether to go on.
async fn completed(partition: &mut dyn Partition, received: &Received) -> bool {
    match partition.complete(received.offset).await {
        Ok(()) => true,
        Err(Error::Lost) => false,
        // The next one's completion covers this one. If there is none, it is delivered again.
        Err(error @ (Error::Unavailable(_) | Error::UnknownTopic(_))) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                event.topic = received.topic,
                event.partition = received.partition,
                event.offset = received.offset,
                "could not commit that an event is done"
            );
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triggers_of_one_component_are_one_group() {
        let manifest = Manifest::load(std::path::Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../spin.toml"
        )))
        .unwrap();
        let groups = groups(&manifest);
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        let mut sorted = names.clone();
        sorted.dedup();
        assert_eq!(names, sorted);
        let topics: usize = groups.iter().map(|group| group.attempts_max.len()).sum();
        assert_eq!(topics, manifest.trigger.kafka.len());
    }
}
