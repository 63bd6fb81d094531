//! Compacts the journal of a shelf beside those who write.

use std::io::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::thread::JoinHandle;

use super::super::Schema;
use super::journal::{Compaction, Journal};
use super::table::{Row, Table};

/// Rows that are read while nobody can change the table: a millisecond or two.
const ROWS_AT_ONCE: Row = 500;
/// What may be left to copy while nobody can write.
const REST_BYTES_MAX: u64 = 64 * 1024;
/// Rounds until no more is left than that, or those who write are too fast.
const ROUNDS_MAX: usize = 8;

/// A journal that is being compacted, of a table.
pub struct Work {
    schema: Schema,
    table: Arc<RwLock<Table>>,
    journal: Arc<Mutex<Journal>>,
    compaction: Compaction,
    /// Those from here on are not kept yet.
    next: Row,
    /// What comes later is in the journal.
    end: Row,
}

impl Work {
    /// Begins, while nobody writes.
    pub fn begin(
        schema: &Schema,
        table: &Arc<RwLock<Table>>,
        journal: &Arc<Mutex<Journal>>,
    ) -> Result<Self> {
        let compaction = locked(journal).compaction()?;
        Ok(Self {
            schema: schema.clone(),
            end: table.read().expect(UNPOISONED).end(),
            table: Arc::clone(table),
            journal: Arc::clone(journal),
            compaction,
            next: 0,
        })
    }

    /// All of it, unless it is told to stop: then the journal stays as it is.
    fn run(mut self, stop: &AtomicBool) -> Result<()> {
        let is_stopped = || stop.load(Ordering::Relaxed);
        while !is_stopped() && self.keep_some(ROWS_AT_ONCE)? {}
        let mut rounds = 0;
        while !is_stopped() && rounds < ROUNDS_MAX && self.catch_up()? > REST_BYTES_MAX {
            rounds += 1;
        }
        match is_stopped() {
            true => self.compaction.give_up(),
            false => self.finish(),
        }
    }

    /// Keeps that many rows. False: there are no more.
    fn keep_some(&mut self, rows: Row) -> Result<bool> {
        let until = self.end.min(self.next.saturating_add(rows));
        let kept: Vec<_> = {
            let table = self.table.read().expect(UNPOISONED);
            table.kept(&self.schema, self.next..until).collect()
        };
        self.compaction.keep(kept)?;
        self.next = until;
        Ok(until < self.end)
    }

    fn catch_up(&mut self) -> Result<u64> {
        let bytes = locked(&self.journal).bytes();
        let copied = self.compaction.catch_up(bytes)?;
        self.compaction.sync()?;
        Ok(copied)
    }

    /// Those who write wait, for the rest only.
    fn finish(self) -> Result<()> {
        locked(&self.journal).become_compact(self.compaction)
    }
}

/// A compaction in a thread of its own; it ends when this is dropped.
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(work: Work) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let journal = Arc::clone(&work.journal);
        let run = move || {
            if let Err(error) = work.run(&told) {
                failed(&mut locked(&journal), &error);
            }
        };
        let thread = std::thread::Builder::new().name("index-compaction".into());
        Ok(Self {
            stop,
            thread: Some(thread.spawn(run)?),
        })
    }

    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the compaction of an index's journal panicked");
        }
    }
}

/// The index goes on with the journal that it has.
pub fn failed(journal: &mut Journal, error: &std::io::Error) {
    journal.put_off();
    tracing::warn!(%error, index.journal = %journal.path().display(), "could not compact a journal");
}

fn locked(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().expect(UNPOISONED)
}

const UNPOISONED: &str = "no one panics while holding the index";

#[cfg(test)]
mod tests;
