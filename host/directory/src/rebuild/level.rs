//! How far the consumers are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::{Rebuild, bar};

const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Consumers {
    items: Vec<Consumer>,
}

/// A partition as a group reads it; what only the broker knows is null while it is down.
#[derive(Deserialize)]
struct Consumer {
    group: String,
    topic: String,
    partition: u32,
    committed: Option<u64>,
    end: Option<u64>,
    lag: Option<u64>,
}

impl Rebuild<'_> {
    /// Waits until the group has handled everything that is in its topics now.
    pub async fn level(&self, group: &str) -> anyhow::Result<()> {
        let limit = Duration::from_secs(self.arguments.level_seconds);
        let begun = Instant::now();
        let mut marks: Option<BTreeMap<(String, u32), u64>> = None;
        let mut shown = None;
        loop {
            let consumers = self.consumers(group).await?;
            let ends = consumers.iter().map(|one| {
                let place = (one.topic.clone(), one.partition);
                Some((place, one.end?))
            });
            if marks.is_none() {
                marks = ends.collect();
            }
            let left = marks.as_ref().map(|marks| left(marks, &consumers));
            if left == Some(0) {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < limit,
                "{group} is not level after {limit:?}: {} events are left. What is being built is kept up to \
                 date: --resume goes on with it",
                left.map_or_else(|| "unknown".to_owned(), |left| left.to_string()),
            );
            if let Some(left) = left {
                let bar = shown.get_or_insert_with(|| bar(left, "handled"));
                bar.set_position(bar.length().unwrap_or(left).saturating_sub(left));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The group that keeps it up to date.
    pub async fn group(&self) -> anyhow::Result<String> {
        let named = self.arguments.group.as_deref();
        let ending = format!(".{}", self.arguments.what);
        let all: Consumers = self.remote.get("/v1/ops/consumers", &[]).await?;
        let groups: BTreeSet<_> = all.items.into_iter().map(|one| one.group).collect();
        let is_ours = |group: &String| match named {
            Some(named) => group == named,
            None => group.ends_with(&ending),
        };
        let found = groups.iter().find(|group| is_ours(group)).cloned();
        found.with_context(|| {
            let wanted = named.unwrap_or(&ending);
            format!("there is no consumer group {wanted}; there are {groups:?}: see --group")
        })
    }

    pub async fn topics(&self, group: &str) -> anyhow::Result<BTreeSet<String>> {
        let consumers = self.consumers(group).await?.into_iter();
        Ok(consumers.map(|one| one.topic).collect())
    }

    async fn consumers(&self, group: &str) -> anyhow::Result<Vec<Consumer>> {
        let all: Consumers = self.remote.get("/v1/ops/consumers", &[]).await?;
        let ours = all.items.into_iter().filter(|one| one.group == group);
        Ok(ours.collect())
    }
}

/// Events before the marks that are not done.
fn left(marks: &BTreeMap<(String, u32), u64>, consumers: &[Consumer]) -> u64 {
    let each = marks.iter().map(|((topic, partition), mark)| {
        let now = consumers
            .iter()
            .find(|one| one.topic == *topic && one.partition == *partition);
        match now {
            Some(Consumer { lag: Some(0), .. }) => 0,
            Some(Consumer {
                committed: Some(committed),
                ..
            }) => mark.saturating_sub(*committed),
            // Nobody knows.
            Some(_) | None => 1,
        }
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(partition: u32, committed: Option<u64>, lag: Option<u64>) -> Consumer {
        Consumer {
            group: "praxis.search".into(),
            topic: "events".into(),
            partition,
            committed,
            end: None,
            lag,
        }
    }

    #[test]
    fn what_came_after_the_marks_is_not_waited_for() {
        let marks = [(("events".to_owned(), 0), 7), (("events".to_owned(), 1), 5)];
        let marks = BTreeMap::from(marks);
        let now = |first, second| {
            left(
                &marks,
                &[
                    partition(0, Some(first), Some(9)),
                    partition(1, Some(second), Some(9)),
                ],
            )
        };
        assert_eq!(now(4, 5), 3);
        assert_eq!(now(7, 3), 2);
        assert_eq!(now(8, 5), 0);
        // Nothing is left at all, wherever that is.
        let none = [
            partition(0, Some(0), Some(0)),
            partition(1, Some(5), Some(1)),
        ];
        assert_eq!(left(&marks, &none), 0);
        // What is not known is not done.
        assert_eq!(left(&marks, &[partition(1, Some(5), None)]), 1);
    }
}
