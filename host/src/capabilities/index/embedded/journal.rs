//! What was applied, one JSON line each, so that a restart makes the same index again.
//!
//! A line is with the operating system before its change is acknowledged: a killed host loses
//! nothing. A power cut may take the last moments; the events bring them back from the log.

mod compaction;

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::super::Change;
use super::document::Kept;
pub use compaction::{COMPACTION_EXTENSION, Compaction};

/// A short journal is not worth compacting.
const COMPACT_LINES_MIN: usize = 10_000;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Change(Change),
    Document(Kept),
    /// The id of a document that is gone.
    Removed(String),
}

pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    lines: usize,
    /// A compaction failed: the next one waits until there are more lines than this.
    put_off_lines: usize,
    /// Held for as long as the process uses the journal.
    _lock: File,
}

impl Journal {
    /// Hands every record to `replay`, in order. What a crash left of a last line is cut off.
    pub fn open(path: &Path, mut replay: impl FnMut(Record)) -> anyhow::Result<Self> {
        let lock = File::create(path.with_extension("lock"))?;
        ensure!(lock.try_lock().is_ok(), "another process has it open");
        // What a crash left of a compaction.
        remove_if_there(&path.with_extension(COMPACTION_EXTENSION))?;
        let file = append_to(path)?;
        let mut reader = BufReader::new(File::open(path)?);
        let (mut bytes, mut lines, mut line) = (0, 0, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            if !line.ends_with(b"\n") {
                tracing::warn!(index.journal = %path.display(), "the last line is torn: cut off");
                break;
            }
            let record = serde_json::from_slice(&line)
                .with_context(|| format!("line {} can't be read", lines + 1))?;
            replay(record);
            bytes += read as u64;
            lines += 1;
        }
        file.set_len(bytes)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            lines,
            put_off_lines: 0,
            _lock: lock,
        })
    }

    /// All of them or, on an error, none.
    pub fn append(&mut self, records: &[Record]) -> std::io::Result<()> {
        let mut text = Vec::new();
        for record in records {
            serde_json::to_writer(&mut text, record)?;
            text.push(b'\n');
        }
        if let Err(error) = self.file.write_all(&text) {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        self.lines += records.len();
        Ok(())
    }

    /// All that was appended outlasts a power cut.
    pub fn sync(&self) -> std::io::Result<()> {
        self.file.sync_all()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether most of it is history.
    pub fn is_due(&self, documents: usize) -> bool {
        let lines_max = COMPACT_LINES_MIN.max(2 * documents);
        self.lines > lines_max.max(self.put_off_lines)
    }

    /// What failed now would fail at the next line too.
    pub fn put_off(&mut self) {
        self.put_off_lines = self.lines + COMPACT_LINES_MIN;
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

pub fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
