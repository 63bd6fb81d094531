//! One generation of one index.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use roaring::RoaringBitmap;

use super::super::{
    Change, Document as Held, Error, Field, Found, Outcome, Position, Query, Replaced, Replacement,
    Schema,
};
use super::compactor::{Running, Work, failed};
use super::document::Document;
use super::journal::{Journal, Record};
use super::postings::Narrowed;
use super::query::Plan;
use super::table::Table;
use super::terms::{Terms, Writer};

/// A search among so many rows takes a tenth of a millisecond or two.
const ROWS_AT_ONCE_MAX: u64 = 2_000;

/// One generation of an index.
pub struct Shelf {
    schema: Schema,
    table: Arc<RwLock<Table>>,
    terms: Terms,
    /// Whoever holds this is the only one who changes the index.
    writing: Mutex<Writing>,
    journal: Arc<Mutex<Journal>>,
    /// Words were written that no search sees yet.
    dirty: AtomicBool,
}

/// What the journal has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    OfChanges,
    OfDocuments,
}

struct Writing {
    writer: Writer,
    compaction: Option<Running>,
}

impl Shelf {
    pub fn open(path: &Path, schema: &Schema) -> anyhow::Result<Self> {
        let mut table = Table::default();
        let journal = Journal::open(path, |record| match record {
            Record::Document(document) => {
                table.put(schema, Document::restored(schema, document));
            }
            Record::Change(change) => {
                if let Some(document) = Document::after(schema, table.by_id(&change.id), &change) {
                    table.put(schema, document);
                }
            }
            Record::Removed(id) => {
                table.remove(schema, &id);
            }
        })?;
        let (terms, mut writer) = Terms::new(schema)?;
        for (row, document) in table.iter() {
            writer.put(&terms, row, schema, document)?;
        }
        writer.commit(&terms)?;
        let writing = Writing {
            writer,
            compaction: None,
        };
        let shelf = Self {
            schema: schema.clone(),
            table: Arc::new(RwLock::new(table)),
            terms,
            writing: Mutex::new(writing),
            journal: Arc::new(Mutex::new(journal)),
            dirty: AtomicBool::new(false),
        };
        shelf.compact_if_due(&mut shelf.writing());
        Ok(shelf)
    }

    /// Nobody writes any more: its files may be taken away.
    pub fn close(&self) {
        self.writing().compaction = None;
    }

    pub fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        self.write(changes, Lines::OfChanges)
    }

    /// As `apply`, for documents that are mostly new.
    pub fn load(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        self.write(changes, Lines::OfDocuments)
    }

    fn write(&self, changes: Vec<Change>, lines: Lines) -> Result<Vec<Outcome>, Error> {
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
                    if lines == Lines::OfChanges {
                        records.push(Record::Change(change));
                    }
                    outcomes.push(Outcome::Applied);
                }
                None => outcomes.push(Outcome::Stale),
            }
        }
        if staged.is_empty() {
            return Ok(outcomes);
        }
        if lines == Lines::OfDocuments {
            let kept = staged.values().map(|document| document.kept(&self.schema));
            records.extend(kept.map(Record::Document));
        }
        let appended = self.journal().append(&records);
        appended.map_err(Error::unavailable)?;
        self.put(&mut writing, staged).map_err(Error::unavailable)?;
        self.compact_if_due(&mut writing);
        Ok(outcomes)
    }

    /// Whoever asks for words from now on waits for no commit, and a power cut takes nothing of what
    /// is here now.
    pub fn settle(&self) -> Result<(), Error> {
        self.commit_what_is_dirty().map_err(Error::unavailable)?;
        self.journal().sync().map_err(Error::unavailable)
    }

    pub fn replace(&self, replacement: &Replacement) -> Result<Replaced, Error> {
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
        let appended = self.journal().append(&[record]);
        appended.map_err(Error::unavailable)?;
        match becomes {
            Some(document) => self
                .put(&mut writing, HashMap::from([(id.clone(), document)]))
                .map_err(Error::unavailable)?,
            None => self.remove(&mut writing, id),
        }
        self.compact_if_due(&mut writing);
        Ok(Replaced::Replaced)
    }

    fn compact_if_due(&self, writing: &mut Writing) {
        let is_running = |running: &Running| !running.is_over();
        let is_due = self.journal().is_due(self.table().len());
        if !is_due || writing.compaction.as_ref().is_some_and(is_running) {
            return;
        }
        match self.compaction().and_then(Running::start) {
            Ok(running) => writing.compaction = Some(running),
            Err(error) => failed(&mut self.journal(), &error),
        }
    }

    /// Begins one, for whoever is the only one who changes the index.
    pub(super) fn compaction(&self) -> std::io::Result<Work> {
        Work::begin(&self.schema, &self.table, &self.journal)
    }

    fn remove(&self, writing: &mut Writing, id: &str) {
        if let Some(row) = self.table_to_write().remove(&self.schema, id) {
            self.dirty.store(true, Ordering::Release);
            writing.writer.remove(&self.terms, row);
        }
    }

    fn put(&self, writing: &mut Writing, staged: HashMap<String, Document>) -> tantivy::Result<()> {
        let mut changed_words = Vec::new();
        {
            let mut table = self.table_to_write();
            for document in staged.into_values() {
                let held = table.by_id(&document.id);
                let same_words =
                    held.is_some_and(|held| held.has_words_of(&self.schema, &document));
                let row = table.put(&self.schema, document);
                if !same_words {
                    changed_words.push(row);
                }
            }
        }
        let table = self.table();
        for row in changed_words {
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

    pub fn get(&self, id: &str) -> Option<Vec<Field>> {
        let table = self.table();
        table.by_id(id).map(|held| held.fields(&self.schema))
    }

    pub fn scan(&self, after: Option<&str>, limit: u32) -> Vec<Held> {
        let table = self.table();
        let documents = table.behind(after).take(limit as usize);
        let documents = documents.map(|document| Held {
            id: document.id.clone(),
            content: document.content(&self.schema),
        });
        documents.collect()
    }

    /// What takes less than a millisecond: few rows, no words, and nobody writes just now. None: it takes longer.
    pub fn search_at_once(&self, query: &Query, after: Option<&Position>) -> Option<Found> {
        let mut plan = Plan::new(&self.schema, query);
        if !plan.words.is_empty() {
            return None;
        }
        let table = self.table.try_read().ok()?;
        let rows = narrowed(&table, &mut plan)?;
        (rows.len() <= ROWS_AT_ONCE_MAX).then(|| plan.run(&self.schema, &table, rows, after))
    }

    pub fn search(&self, query: &Query, after: Option<&Position>) -> Result<Found, Error> {
        let mut plan = Plan::new(&self.schema, query);
        let with_words = match self.terms.narrowing(&plan) {
            Some(words) => {
                self.commit_what_is_dirty().map_err(Error::unavailable)?;
                Some(self.terms.rows(&words).map_err(Error::unavailable)?)
            }
            None => None,
        };
        let table = self.table();
        let narrowed = narrowed(&table, &mut plan);
        let schema = &self.schema;
        Ok(match (with_words, narrowed) {
            (Some(rows), Some(narrowed)) => {
                let both = rows.into_iter().filter(|row| narrowed.contains(*row));
                plan.run(schema, &table, both, after)
            }
            (Some(rows), None) => plan.run(schema, &table, rows, after),
            (None, Some(narrowed)) => plan.run(schema, &table, narrowed, after),
            (None, None) => plan.run(schema, &table, table.rows(), after),
        })
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

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal
            .lock()
            .expect("no one panics while holding the journal")
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().expect("no one panics while writing")
    }
}

/// The rows that can pass the plan's tests; the one that all of them pass is taken out of it.
fn narrowed(table: &Table, plan: &mut Plan) -> Option<RoaringBitmap> {
    let Narrowed { rows, settled } = table.narrowed(&plan.tests)?;
    if let Some(settled) = settled {
        plan.tests.remove(settled);
    }
    Some(rows)
}
