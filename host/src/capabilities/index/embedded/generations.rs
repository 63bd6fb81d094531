//! One index: the generation that answers, and perhaps one beside it.
//!
//! Each has a journal of its own. Which is which stands in a file that is replaced as a whole: so at
//! whatever moment the process ends, the next one finds the state before or after, and nothing between.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};

use anyhow::Context as _;

use super::super::{
    Beside, Change, Document, Error, GENERATION_FIRST, Generations, Outcome, Replaced, Replacement,
    Role, Schema, conflict, next_generation,
};
use super::journal::{COMPACTION_EXTENSION, remove_if_there};
use super::shelf::Shelf;

pub struct Shelves {
    files: Files,
    schema: Schema,
    /// Who writes into generations holds it as a reader until all of them have it; who changes which
    /// there are, as a writer.
    held: RwLock<Held>,
    /// The current one once more, for whoever reads: they wait for nobody who writes.
    answering: RwLock<Arc<Shelf>>,
    /// Whoever holds this is the only one who begins, switches or removes.
    turn: Mutex<()>,
}

struct Held {
    state: Generations,
    current: Arc<Shelf>,
    beside: Option<Arc<Shelf>>,
}

impl Shelves {
    /// `name`: what its files are called, without their endings.
    pub fn open(folder: &Path, name: &str, schema: &Schema) -> anyhow::Result<Self> {
        let files = Files {
            folder: folder.to_owned(),
            name: name.to_owned(),
        };
        let state = files.state()?;
        let open = |generation| {
            let path = files.journal(generation);
            let shelf = Shelf::open(&path, schema)
                .with_context(|| format!("could not open the index {}", path.display()))?;
            anyhow::Ok(Arc::new(shelf))
        };
        let current = open(state.current)?;
        let beside = state.beside.map(|beside| open(beside.generation));
        let beside = beside.transpose()?;
        files.remove_all_but(&state)?;
        let held = Held {
            state,
            current,
            beside,
        };
        Ok(Self {
            files,
            schema: schema.clone(),
            answering: RwLock::new(Arc::clone(&held.current)),
            held: RwLock::new(held),
            turn: Mutex::new(()),
        })
    }

    /// The one that answers.
    pub fn current(&self) -> Arc<Shelf> {
        Arc::clone(&self.answering.read().expect(UNPOISONED))
    }

    pub fn state(&self) -> Generations {
        self.held().state
    }

    pub fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        let held = self.held();
        let Some(beside) = &held.beside else {
            return held.current.apply(changes);
        };
        let outcomes = held.current.apply(changes.clone())?;
        beside.apply(changes)?;
        Ok(outcomes)
    }

    pub fn replace(&self, replacement: &Replacement) -> Result<Replaced, Error> {
        // Alone: a change between the two would come before it in one and after it in the other.
        let held = self.held.write().expect(UNPOISONED);
        let replaced = held.current.replace(replacement)?;
        if let Some(beside) = &held.beside {
            beside.replace(replacement)?;
        }
        Ok(replaced)
    }

    pub fn begin(&self) -> Result<u64, Error> {
        let _turn = self.turn();
        let mut state = self.state();
        let generation = next_generation(&state)?;
        let beside = Beside {
            generation,
            role: Role::Building,
        };
        // What an earlier one of that number may have left.
        self.files.remove(generation).map_err(Error::unavailable)?;
        let shelf = Shelf::open(&self.files.journal(generation), &self.schema);
        let shelf = shelf.map_err(Error::unavailable)?;
        state.beside = Some(beside);
        let mut held = self.held.write().expect(UNPOISONED);
        self.files.save(&state).map_err(Error::unavailable)?;
        held.beside = Some(Arc::new(shelf));
        held.state = state;
        Ok(generation)
    }

    pub fn load(&self, generation: u64, changes: Vec<Change>) -> Result<Vec<Outcome>, Error> {
        // Held until it is written: nobody switches meanwhile.
        let held = self.held();
        let building = Beside {
            generation,
            role: Role::Building,
        };
        match &held.beside {
            Some(shelf) if held.state.beside == Some(building) => shelf.load(changes),
            Some(_) | None => Err(conflict(generation, "being built", &held.state)),
        }
    }

    pub fn scan(
        &self,
        generation: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let held = self.held();
        if !held.state.has(generation) {
            return Err(conflict(generation, "there", &held.state));
        }
        let beside = held.beside.as_ref();
        let beside = beside.filter(|_| generation != held.state.current);
        let shelf = Arc::clone(beside.unwrap_or(&held.current));
        drop(held);
        Ok(shelf.scan(after, limit))
    }

    pub fn switch(&self, generation: u64) -> Result<(), Error> {
        let _turn = self.turn();
        let beside = self.beside(generation)?;
        // The long part, while the other one answers.
        beside.settle()?;
        let mut held = self.held.write().expect(UNPOISONED);
        beside.settle()?;
        let state = Generations {
            current: generation,
            beside: Some(Beside {
                generation: held.state.current,
                role: Role::Previous,
            }),
        };
        self.files.save(&state).map_err(Error::unavailable)?;
        held.state = state;
        *self.answering.write().expect(UNPOISONED) = Arc::clone(&beside);
        held.beside = Some(std::mem::replace(&mut held.current, beside));
        Ok(())
    }

    pub fn remove(&self, generation: u64) -> Result<(), Error> {
        let _turn = self.turn();
        let beside = self.beside(generation)?;
        {
            let mut held = self.held.write().expect(UNPOISONED);
            let state = Generations {
                beside: None,
                ..held.state
            };
            self.files.save(&state).map_err(Error::unavailable)?;
            held.state = state;
            held.beside = None;
        }
        // A compaction that ends later would bring a file back.
        beside.close();
        self.files.remove(generation).map_err(Error::unavailable)
    }

    fn beside(&self, generation: u64) -> Result<Arc<Shelf>, Error> {
        let held = self.held();
        match (&held.beside, held.state.beside) {
            (Some(shelf), Some(beside)) if beside.generation == generation => Ok(Arc::clone(shelf)),
            _ => Err(conflict(
                generation,
                "beside the one that answers",
                &held.state,
            )),
        }
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().expect(UNPOISONED)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "no one panics while holding the generations";

/// Where the generations of an index lie.
struct Files {
    folder: PathBuf,
    name: String,
}

impl Files {
    /// The first generation's has no number, as before there were any.
    fn journal(&self, generation: u64) -> PathBuf {
        self.folder.join(match generation {
            GENERATION_FIRST => format!("{}.jsonl", self.name),
            later => format!("{}.g{later}.jsonl", self.name),
        })
    }

    fn pointer(&self) -> PathBuf {
        self.folder.join(format!("{}.generations", self.name))
    }

    fn state(&self) -> anyhow::Result<Generations> {
        let path = self.pointer();
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} can't be read", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Generations {
                current: GENERATION_FIRST,
                beside: None,
            }),
            Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    fn save(&self, state: &Generations) -> std::io::Result<()> {
        let new = self.folder.join(format!("{}.generations-new", self.name));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_all()?;
        std::fs::rename(&new, self.pointer())?;
        // The folder holds the name.
        File::open(&self.folder)?.sync_all()
    }

    fn remove(&self, generation: u64) -> std::io::Result<()> {
        let journal = self.journal(generation);
        // The journal is the last: what it stands for is looked for by it.
        for extension in ["lock", COMPACTION_EXTENSION] {
            remove_if_there(&journal.with_extension(extension))?;
        }
        remove_if_there(&journal)
    }

    /// A process that ended between the state and the files has left some.
    fn remove_all_but(&self, state: &Generations) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(generation) = name.to_str().and_then(|name| self.generation(name)) else {
                continue;
            };
            if !state.has(generation) {
                self.remove(generation)?;
            }
        }
        Ok(())
    }

    /// Whose journal a file is.
    fn generation(&self, file: &str) -> Option<u64> {
        let rest = file.strip_prefix(&self.name)?.strip_suffix(".jsonl")?;
        match rest.strip_prefix(".g") {
            Some(number) => number.parse().ok(),
            None => rest.is_empty().then_some(GENERATION_FIRST),
        }
    }
}
