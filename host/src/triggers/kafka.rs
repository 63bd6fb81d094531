//! `[[trigger.kafka]]`: a component is called for each event of its topics.
//!
//! One task a partition, so that one that waits holds up no other; in it, events of different keys
//! run beside each other (`kafka/schedule.rs`). What a handling publishes is released before the
//! event counts as done: a crash in between repeats both, with the same ids.

pub mod dead_letters;
mod delivery;
mod desk;
mod job;
pub mod lag;
mod meters;
mod reader;
pub mod recent;
pub mod replay;
mod schedule;
pub mod watch;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backoff::backoff;
use crate::capabilities::events::Broker;
use crate::manifest::{KafkaTrigger, Manifest, OnExhausted};
use crate::runtime::consumer::Handler;
use delivery::Courier;
use watch::Watch;

pub use delivery::release;

const RETRY_FIRST_MS: u64 = 200;
const RETRY_MS_MAX: u64 = 30_000;

/// A component's consumer group: all of its topics, under one name.
#[derive(Clone)]
pub struct Group {
    pub name: String,
    pub component: String,
    /// Its topics, and how each one's events are handled.
    pub topics: BTreeMap<String, Terms>,
    pub pace: Pace,
}

/// How a topic's events are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Tries before an event is given up on, or held.
    pub attempts_max: u32,
    /// Events of one partition that are handled at one time.
    pub in_flight_max: usize,
    pub on_exhausted: OnExhausted,
    /// Events of one call, where the component takes batches.
    pub batch_events_max: usize,
}

impl Default for Terms {
    /// As where the manifest says nothing.
    fn default() -> Self {
        Self {
            attempts_max: KafkaTrigger::ATTEMPTS_MAX_DEFAULT,
            in_flight_max: usize::from(KafkaTrigger::IN_FLIGHT_MAX_DEFAULT),
            on_exhausted: OnExhausted::default(),
            batch_events_max: usize::from(KafkaTrigger::BATCH_EVENTS_MAX_DEFAULT),
        }
    }
}

impl Group {
    fn terms(&self, topic: &str) -> Terms {
        self.topics.get(topic).copied().unwrap_or_default()
    }
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
                topics: BTreeMap::new(),
                pace: Pace::default(),
            });
        let terms = Terms {
            attempts_max: trigger.max_attempts,
            in_flight_max: usize::from(trigger.max_in_flight),
            on_exhausted: trigger.on_exhausted,
            batch_events_max: usize::from(trigger.batch_events_max),
        };
        group.topics.insert(trigger.topic.clone(), terms);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (&a.name, &a.component).cmp(&(&b.name, &b.component)));
    groups
}

/// Consumes until `stop`, whatever happens to the broker meanwhile. Then what is being handled is
/// finished (within `events::DRAIN_MS_MAX`) and committed. `watch` shows the partitions that it
/// reads.
pub async fn run(
    broker: Arc<dyn Broker>,
    group: Group,
    handler: Arc<dyn Handler>,
    watch: Watch,
    stop: CancellationToken,
) {
    let topics: Vec<_> = group.topics.keys().cloned().collect();
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
                let (courier, watch) = (Arc::clone(&courier), watch.clone());
                partitions.spawn(async move { reader::read(&courier, &watch, partition).await });
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
        let topics: usize = groups.iter().map(|group| group.topics.len()).sum();
        assert_eq!(topics, manifest.trigger.kafka.len());
    }
}
