//! The index inside the host: terms in tantivy, values in a table beside it, both in memory; a
//! journal on disk makes them again at the next start.
//!
//! Terms narrow, the table decides: tantivy finds the documents with the right words and cells,
//! and everything exact (distances, dates, the score) is read from the table. So a change of a
//! number or a date costs no commit.

mod document;
mod facets;
mod journal;
mod query;
mod table;
mod terms;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::Context as _;
use async_trait::async_trait;

use super::{
    Change, Document as Held, Error, Field, Found, Index, Outcome, Position, Query, Replaced,
    Replacement, Schema,
};
use document::Document;
use journal::{Journal, Record};
use query::Plan;
use table::Table;
use terms::{Terms, Writer};

pub struct Embedded {
    shelves: BTreeMap<String, Arc<Shelf>>,
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
        let mut shelves = BTreeMap::new();
        for (index, schema) in schemas {
            let path = folder.join(format!("{prefix}{index}.jsonl"));
            let shelf = Shelf::open(&path, schema)
                .with_context(|| format!("could not open the index {}", path.display()))?;
            shelves.insert(index.clone(), Arc::new(shelf));
        }
        Ok(Self { shelves })
    }

    /// Does it where blocking is fine: a search computes, and may wait for a commit.
    async fn on<R: Send + 'static>(
        &self,
        index: &str,
        work: impl FnOnce(&Shelf) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let shelf = self.shelves.get(index).cloned();
        let shelf = shelf.ok_or_else(|| Error::NotGranted(index.to_owned()))?;
        tokio::task::spawn_blocking(move || work(&shelf))
            .await
            .map_err(Error::unavailable)?
    }
}

#[async_trait]
impl Index for Embedded {
    async fn apply(&self, index: &str, changes: &[Change]) -> Result<Vec<Outcome>, Error> {
        let changes = changes.to_vec();
        self.on(index, move |shelf| shelf.apply(changes)).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error> {
        let id = id.to_owned();
        self.on(index, move |shelf| Ok(shelf.get(&id))).await
    }

    async fn scan(&self, index: &str, after: Option<&str>, limit: u32) -> Result<Vec<Held>, Error> {
        let after = after.map(str::to_owned);
        self.on(index, move |shelf| Ok(shelf.scan(after.as_deref(), limit)))
            .await
    }

    async fn replace(&self, index: &str, replacement: &Replacement) -> Result<Replaced, Error> {
        let replacement = replacement.clone();
        self.on(index, move |shelf| shelf.replace(&replacement))
            .await
    }

    async fn search(
        &self,
        index: &str,
        query: &Query,
        after: Option<&Position>,
    ) -> Result<Found, Error> {
        let (query, after) = (query.clone(), after.cloned());
        self.on(index, move |shelf| shelf.search(&query, after.as_ref()))
            .await
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// One index.
struct Shelf {
    schema: Schema,
    table: RwLock<Table>,
    terms: Terms,
    /// Whoever holds this is the only one who changes the index.
    writing: Mutex<Writing>,
    /// Terms were written that no search sees yet.
    dirty: AtomicBool,
}

struct Writing {
    journal: Journal,
    writer: Writer,
}

impl Shelf {
    fn open(path: &Path, schema: &Schema) -> anyhow::Result<Self> {
        let mut table = Table::default();
        let mut journal = Journal::open(path, |record| match record {
            Record::Document(document) => {
                table.put(Document::restored(schema, document));
            }
            Record::Change(change) => {
                if let Some(document) = Document::after(schema, table.by_id(&change.id), &change) {
                    table.put(document);
                }
            }
            Record::Removed(id) => {
                table.remove(&id);
            }
        })?;
        journal.compact_if_due(table.len(), || table.kept(schema))?;
        let (terms, mut writer) = Terms::new(schema)?;
        for (row, document) in table.iter() {
            writer.put(&terms, row, schema, document)?;
        }
        writer.commit(&terms)?;
        Ok(Self {
            schema: schema.clone(),
            table: RwLock::new(table),
            terms,
            writing: Mutex::new(Writing { journal, writer }),
            dirty: AtomicBool::new(false),
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        let mut writing = self.writing();
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut records = Vec::new();
        let mut staged: HashMap<String, Document> = HashMap::new();
        for change in changes {
            let table = self.table();
            let held = staged.get(&change.id).or_else(|| table.by_id(&change.id));
            match Document::after(&self.schema, held, &change) {
                Some(document) => {
                    staged.insert(change.id.clone(), document);
                    records.push(Record::Change(change));
                    outcomes.push(Outcome::Applied);
                }
                None => outcomes.push(Outcome::Stale),
            }
        }
        if staged.is_empty() {
            return Ok(outcomes);
        }
        writing
            .journal
            .append(&records)
            .map_err(Error::unavailable)?;
        self.put(&mut writing, staged).map_err(Error::unavailable)?;
        self.compact(&mut writing)?;
        Ok(outcomes)
    }

    fn replace(&self, replacement: &Replacement) -> Result<Replaced, Error> {
        let mut writing = self.writing();
        let id = &replacement.id;
        let held = self
            .table()
            .by_id(id)
            .map(|held| held.content(&self.schema));
        if held != replacement.seen {
            return Ok(Replaced::Changed);
        }
        let becomes = replacement.becomes.as_ref();
        let becomes = becomes.map(|content| Document::new_with(&self.schema, id, content));
        let record = match &becomes {
            Some(document) => Record::Document(document.kept(&self.schema)),
            None => Record::Removed(id.clone()),
        };
        let appended = writing.journal.append(&[record]);
        appended.map_err(Error::unavailable)?;
        match becomes {
            Some(document) => self
                .put(&mut writing, HashMap::from([(id.clone(), document)]))
                .map_err(Error::unavailable)?,
            None => self.remove(&mut writing, id),
        }
        self.compact(&mut writing)?;
        Ok(Replaced::Replaced)
    }

    fn compact(&self, writing: &mut Writing) -> Result<(), Error> {
        let table = self.table();
        let journal = &mut writing.journal;
        journal
            .compact_if_due(table.len(), || table.kept(&self.schema))
            .map_err(Error::unavailable)
    }

    fn remove(&self, writing: &mut Writing, id: &str) {
        if let Some(row) = self.table_to_write().remove(id) {
            self.dirty.store(true, Ordering::Release);
            writing.writer.remove(&self.terms, row);
        }
    }

    fn put(&self, writing: &mut Writing, staged: HashMap<String, Document>) -> tantivy::Result<()> {
        let mut changed_terms = Vec::new();
        {
            let mut table = self.table_to_write();
            for document in staged.into_values() {
                let held = table.by_id(&document.id);
                let same_terms =
                    held.is_some_and(|held| held.has_terms_of(&self.schema, &document));
                let row = table.put(document);
                if !same_terms {
                    changed_terms.push(row);
                }
            }
        }
        let table = self.table();
        for row in changed_terms {
            let Some(document) = table.at(row) else {
                continue;
            };
            self.dirty.store(true, Ordering::Release);
            writing
                .writer
                .put(&self.terms, row, &self.schema, document)?;
        }
        Ok(())
    }

    fn get(&self, id: &str) -> Option<Vec<Field>> {
        let table = self.table();
        table.by_id(id).map(|held| held.fields(&self.schema))
    }

    fn scan(&self, after: Option<&str>, limit: u32) -> Vec<Held> {
        let table = self.table();
        let documents = table.behind(after).take(limit as usize);
        let documents = documents.map(|document| Held {
            id: document.id.clone(),
            content: document.content(&self.schema),
        });
        documents.collect()
    }

    fn search(&self, query: &Query, after: Option<&Position>) -> Result<Found, Error> {
        let plan = Plan::new(&self.schema, query);
        let Some(narrowing) = self.terms.narrowing(&plan) else {
            let table = self.table();
            return Ok(plan.run(&self.schema, &table, table.rows(), after));
        };
        self.commit_what_is_dirty().map_err(Error::unavailable)?;
        let rows = self.terms.rows(&narrowing).map_err(Error::unavailable)?;
        Ok(plan.run(&self.schema, &self.table(), rows, after))
    }

    /// One commit for all who wait: the first does it, the others find it done.
    fn commit_what_is_dirty(&self) -> tantivy::Result<()> {
        if self.dirty.load(Ordering::Acquire) {
            let mut writing = self.writing();
            if self.dirty.load(Ordering::Acquire) {
                writing.writer.commit(&self.terms)?;
                self.dirty.store(false, Ordering::Release);
            }
        }
        Ok(())
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table
            .read()
            .expect("no one panics while holding the table")
    }

    fn table_to_write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table
            .write()
            .expect("no one panics while holding the table")
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().expect("no one panics while writing")
    }
}
