//! Where a process keeps copies of its components' files: in a folder of its own, which goes with the
//! process. One that died had no time for that; the next to start removes what it left.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tempfile::TempDir;

/// Below the data folder, of all processes that share it.
const FOLDER: &str = "files";
/// Locked while folders are made or removed: by one process at a time.
const LOCK: &str = "lock";
/// In a process's folder, locked for as long as it lives.
const ALIVE: &str = "alive";

/// The host's data folder, and in it the process's own, made when it is first needed.
pub struct Shelf {
    data: PathBuf,
    own: Mutex<Option<Arc<Own>>>,
}

struct Own {
    folder: TempDir,
    _alive: File,
}

/// A folder for one component's files, gone when it is dropped.
pub struct Space {
    folder: TempDir,
    /// Not removed before what is in it.
    _own: Arc<Own>,
}

impl Shelf {
    /// Removes what dead processes left in the data folder, if it is there.
    pub fn new(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join(FOLDER);
        if folder.exists() {
            let _lock = lock(&folder)?;
            sweep(&folder)
                .with_context(|| format!("could not clean up in {}", folder.display()))?;
        }
        Ok(Self {
            data: data.to_path_buf(),
            own: Mutex::default(),
        })
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Fails with the folder's path if it cannot be made.
    pub fn space(&self) -> anyhow::Result<Space> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let own = match &*own {
            Some(own) => Arc::clone(own),
            None => {
                let folder = self.data.join(FOLDER);
                let made = Own::make(&folder);
                let made = made.with_context(|| format!("in {}", folder.display()))?;
                Arc::clone(own.insert(Arc::new(made)))
            }
        };
        let folder = tempfile::tempdir_in(own.folder.path());
        Ok(Space {
            folder: folder.context("could not make a folder for files")?,
            _own: own,
        })
    }
}

impl Space {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Own {
    fn make(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).context("could not make a folder for files")?;
        let _lock = lock(folder)?;
        let own = tempfile::tempdir_in(folder).context("could not make a folder for files")?;
        let alive = File::create(own.path().join(ALIVE))?;
        alive.lock().context("could not lock a folder for files")?;
        Ok(Self {
            folder: own,
            _alive: alive,
        })
    }
}

/// Until the file is closed.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
    locked.with_context(|| format!("could not lock {}", path.display()))
}

fn sweep(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !is_alive(&path) {
            // One that is ending may be faster.
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Whether the process whose folder it is lives. One that is being made has the lock of all.
fn is_alive(own: &Path) -> bool {
    match File::open(own.join(ALIVE)) {
        Ok(alive) => matches!(alive.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_nothing_else() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join(FOLDER);
        let shelf = Shelf::new(outer.path()).unwrap();
        assert!(!folder.exists());
        let space = shelf.space().unwrap();
        std::fs::write(space.path().join("kept"), "").unwrap();

        for (dead, holds) in [("dead", ALIVE), ("half-made", "left")] {
            std::fs::create_dir(folder.join(dead)).unwrap();
            std::fs::write(folder.join(dead).join(holds), "").unwrap();
        }
        let other = Shelf::new(outer.path()).unwrap();
        assert!(!folder.join("dead").exists());
        assert!(!folder.join("half-made").exists());
        assert!(space.path().join("kept").exists());

        drop(shelf);
        assert!(space.path().join("kept").exists(), "it is used still");
        let own = space.path().parent().unwrap().to_path_buf();
        drop(space);
        assert!(!own.exists());
        drop(other);
    }
}
