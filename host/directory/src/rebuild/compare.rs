//! Whether what was built says what the database says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use serde::Deserialize;

use super::answers::{Range, page};
use super::{Rebuild, bar};
use crate::difference::Difference;

/// Looks at those that are behind: who is seen at the same version each time does not get on.
const LOOKS_MAX: u32 = 5;
const PAUSE_MS: u64 = 250;

#[derive(Default, Deserialize)]
struct Compared {
    compared: u64,
    absent: Vec<String>,
    waiting: Vec<Waiting>,
    differences: Vec<Difference>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Waiting {
    practitioner_id: String,
    standing: String,
}

/// What was found in one page.
struct Found {
    range: Range,
    compared: u64,
    absent: Vec<String>,
    /// By practitioner.
    waiting: BTreeMap<String, String>,
    differences: Vec<Difference>,
}

/// What was found in all of them.
pub struct Findings(Vec<Found>);

impl Rebuild<'_> {
    /// A copy that is behind waits for events, and is looked at again once those have been handled.
    pub async fn compare(
        &self,
        generation: u64,
        group: &str,
        total: u64,
        ranges: Vec<Range>,
    ) -> anyhow::Result<Findings> {
        let shown = bar(total, "compared");
        let mut found = self.look(generation, ranges, &shown).await?;
        shown.finish_and_clear();
        let hidden = ProgressBar::hidden();
        for look in 1..LOOKS_MAX {
            let (waiting, done): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|page| !page.waiting.is_empty());
            found = done;
            if waiting.is_empty() {
                break;
            }
            self.level(group).await?;
            tokio::time::sleep(Duration::from_millis(PAUSE_MS << look)).await;
            let before: BTreeMap<_, _> = waiting
                .iter()
                .flat_map(|page| page.waiting.clone())
                .collect();
            let ranges = waiting.into_iter().map(|page| page.range).collect();
            let mut again = self.look(generation, ranges, &hidden).await?;
            for page in &mut again {
                // Who stands elsewhere by now gets on.
                page.waiting
                    .retain(|id, standing| before.get(id) == Some(standing));
            }
            found.extend(again);
        }
        Ok(Findings(found))
    }

    async fn look(
        &self,
        generation: u64,
        ranges: Vec<Range>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Found>> {
        let path = self.path("/compare");
        let pages = ranges.into_iter().map(async |range| {
            let mut after = range.0.clone();
            let mut found = Found::of(range);
            loop {
                let query = page(generation, after.as_deref(), found.range.1.as_deref());
                let compared: Compared = self.remote.get(&path, &query).await?;
                bar.inc(compared.compared);
                let next = compared.next_cursor.clone();
                found.take(compared);
                match next {
                    Some(cursor) => after = Some(cursor),
                    None => return anyhow::Ok(found),
                }
            }
        });
        let in_flight = self.arguments.in_flight.into();
        let all = stream::iter(pages).buffer_unordered(in_flight);
        all.try_collect().await
    }
}

impl Found {
    fn of(range: Range) -> Self {
        Self {
            range,
            compared: 0,
            absent: Vec::new(),
            waiting: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    fn take(&mut self, page: Compared) {
        self.compared += page.compared;
        self.absent.extend(page.absent);
        self.differences.extend(page.differences);
        let waiting = page.waiting.into_iter();
        self.waiting
            .extend(waiting.map(|one| (one.practitioner_id, one.standing)));
    }
}

impl Findings {
    /// Who is not as in the database, in order.
    pub fn different(&self) -> Vec<String> {
        self.ids(|page| {
            let differing = page.differences.iter().map(|one| &one.practitioner_id);
            differing.chain(page.waiting.keys()).collect()
        })
    }

    /// These, and who is not there at all.
    pub fn incomplete(&self) -> Vec<String> {
        let mut ids = self.ids(|page| page.absent.iter().collect());
        ids.extend(self.different());
        ids.sort();
        ids.dedup();
        ids
    }

    /// What differs, a line each.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|page| {
            let differing = page.differences.iter().map(ToString::to_string);
            let waiting = page.waiting.iter().map(|(id, standing)| {
                format!("{id}: it waits for events that do not come: {standing}")
            });
            differing.chain(waiting)
        })
    }

    fn ids<'a>(&'a self, of: impl Fn(&'a Found) -> Vec<&'a String>) -> Vec<String> {
        let ids: BTreeSet<&String> = self.0.iter().flat_map(of).collect();
        ids.into_iter().cloned().collect()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Found) -> u64| self.0.iter().map(of).sum::<u64>();
        write!(
            f,
            "compared {}: {} differ, {} are not there",
            sum(|page| page.compared),
            self.different().len(),
            sum(|page| page.absent.len() as u64),
        )
    }
}
