//! The index inside the host, all of it in memory: the rows of each keyword, flag and cell in bitmaps,
//! the words of texts in tantivy, values in a table beside them; a journal on disk makes them again at
//! the next start.
//!
//! Bitmaps and words narrow, the table decides: everything exact (distances, dates, the score) is
//! read from it. Bitmaps and table change together, so only a change of words costs a commit, and
//! only a search for words waits for it.

mod compactor;
mod document;
mod facets;
mod generations;
mod journal;
mod postings;
mod query;
mod shelf;
mod table;
mod terms;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;

use super::{
    Change, Document, Error, Field, Found, Generations, Index, Outcome, Position, Query, Replaced,
    Replacement, Schema,
};
use generations::Shelves;

pub struct Embedded {
    indexes: BTreeMap<String, Arc<Shelves>>,
}

impl Embedded {
    /// Reads the journals under `folder` again, or begins new ones. Blocks.
    ///
    /// # Errors
    /// If a journal can't be read, or another process has it open.
    pub fn open(
        folder: &Path,
        prefix: &str,
        schemas: &BTreeMap<String, Schema>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
        let mut indexes = BTreeMap::new();
        for (index, schema) in schemas {
            let shelves = Shelves::open(folder, &format!("{prefix}{index}"), schema)?;
            indexes.insert(index.clone(), Arc::new(shelves));
        }
        Ok(Self { indexes })
    }

    /// Does it where blocking is fine: a search computes, and may wait for a commit.
    async fn on<R: Send + 'static>(
        &self,
        index: &str,
        work: impl FnOnce(&Shelves) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let shelves = self.indexes.get(index).cloned();
        let shelves = shelves.ok_or_else(|| Error::NotGranted(index.to_owned()))?;
        tokio::task::spawn_blocking(move || work(&shelves))
            .await
            .map_err(Error::unavailable)?
    }
}

#[async_trait]
impl Index for Embedded {
    async fn apply(&self, index: &str, changes: &[Change]) -> Result<Vec<Outcome>, Error> {
        let changes = changes.to_vec();
        self.on(index, move |shelves| shelves.apply(changes)).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error> {
        let id = id.to_owned();
        self.on(index, move |shelves| Ok(shelves.current().get(&id)))
            .await
    }

    async fn scan(
        &self,
        index: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let after = after.map(str::to_owned);
        self.on(index, move |shelves| {
            Ok(shelves.current().scan(after.as_deref(), limit))
        })
        .await
    }

    async fn replace(&self, index: &str, replacement: &Replacement) -> Result<Replaced, Error> {
        let replacement = replacement.clone();
        self.on(index, move |shelves| shelves.replace(&replacement))
            .await
    }

    async fn search(
        &self,
        index: &str,
        query: &Query,
        after: Option<&Position>,
    ) -> Result<Found, Error> {
        // Handing it to another thread and back takes longer than most searches do.
        if let Some(shelves) = self.indexes.get(index)
            && let Some(found) = shelves.current().search_at_once(query, after)
        {
            return Ok(found);
        }
        let (query, after) = (query.clone(), after.cloned());
        self.on(index, move |shelves| {
            shelves.current().search(&query, after.as_ref())
        })
        .await
    }

    async fn generations(&self, index: &str) -> Result<Generations, Error> {
        self.on(index, |shelves| Ok(shelves.state())).await
    }

    async fn begin(&self, index: &str) -> Result<u64, Error> {
        self.on(index, Shelves::begin).await
    }

    async fn load(
        &self,
        index: &str,
        generation: u64,
        changes: &[Change],
    ) -> Result<Vec<Outcome>, Error> {
        let changes = changes.to_vec();
        self.on(index, move |shelves| shelves.load(generation, changes))
            .await
    }

    async fn scan_of(
        &self,
        index: &str,
        generation: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let after = after.map(str::to_owned);
        self.on(index, move |shelves| {
            shelves.scan(generation, after.as_deref(), limit)
        })
        .await
    }

    async fn switch(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.on(index, move |shelves| shelves.switch(generation))
            .await
    }

    async fn remove(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.on(index, move |shelves| shelves.remove(generation))
            .await
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }
}
