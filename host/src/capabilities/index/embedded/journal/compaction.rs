//! A journal written anew, a line a document, while the old one goes on growing.
//!
//! The new one begins with documents, each as it was at some moment since the compaction began, and
//! goes on with all lines that the old one got since then. So a document may meet changes again that it
//! has already: they are stale, for versions grow; and a line that makes them grow again is a whole
//! document, which takes the place of whatever is there. Hence both journals make the same index.
//!
//! The new one takes the old one's name once it is whole and on the disk: whenever the process ends,
//! there is one of them.

use std::fs::File;
use std::io::{BufWriter, Error, Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::super::document::Kept;
use super::{Journal, Record, append_to, remove_if_there};

pub const COMPACTION_EXTENSION: &str = "new";

pub struct Compaction {
    path: PathBuf,
    new: BufWriter<File>,
    /// Stands where the new one has not come to yet.
    old: File,
    copied_bytes: u64,
    /// That the old one had when this began.
    old_lines: usize,
    documents: usize,
}

impl Journal {
    /// Begins, while nobody writes. The documents that there are now are to be kept.
    pub fn compaction(&self) -> Result<Compaction> {
        let path = self.path.with_extension(COMPACTION_EXTENSION);
        remove_if_there(&path)?;
        let mut old = File::open(&self.path)?;
        old.seek(SeekFrom::Start(self.bytes))?;
        Ok(Compaction {
            new: BufWriter::new(append_to(&path)?),
            path,
            old,
            copied_bytes: self.bytes,
            old_lines: self.lines,
            documents: 0,
        })
    }

    /// How far it has come, for `catch_up`.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From now on it is the new one. On an error it may be either: both are whole.
    pub fn become_compact(&mut self, mut compaction: Compaction) -> Result<()> {
        compaction.catch_up(self.bytes)?;
        let Compaction {
            path,
            new,
            old_lines,
            documents,
            ..
        } = compaction;
        let file = new.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        std::fs::rename(path, &self.path)?;
        self.file = file;
        self.bytes = bytes;
        self.lines = documents + (self.lines - old_lines);
        // The folder holds the name.
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Compaction {
    pub fn keep(&mut self, documents: impl IntoIterator<Item = Kept>) -> Result<()> {
        for document in documents {
            serde_json::to_writer(&mut self.new, &Record::Document(document))?;
            self.new.write_all(b"\n")?;
            self.documents += 1;
        }
        Ok(())
    }

    /// Copies what the old one has up to there. How much that was.
    pub fn catch_up(&mut self, old_bytes: u64) -> Result<u64> {
        let missing = old_bytes - self.copied_bytes;
        let copied = std::io::copy(&mut (&self.old).take(missing), &mut self.new)?;
        if copied < missing {
            return Err(Error::other("the journal has become shorter"));
        }
        self.copied_bytes = old_bytes;
        Ok(copied)
    }

    /// All that was written outlasts a power cut, so that little is left to do at the end.
    pub fn sync(&mut self) -> Result<()> {
        self.new.flush()?;
        self.new.get_ref().sync_all()
    }

    pub fn give_up(self) -> Result<()> {
        remove_if_there(&self.path)
    }
}
