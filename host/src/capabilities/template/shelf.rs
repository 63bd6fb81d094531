//! Tenants' components, compiled and ready: so many, and of one owner so many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::limits::{READY_MAX, READY_OF_OWNER_MAX};
use super::renderer::Own;

/// A place for a component: filled by the first who needs it, while the others wait. It holds the reason if it is none that can run.
pub type Slot = Arc<OnceCell<Result<Arc<Own>, String>>>;

#[derive(Default)]
pub struct Shelf {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// By digest.
    slots: HashMap<String, Entry>,
    /// Counts uses: what was used last has the highest.
    clock: u64,
}

struct Entry {
    owner: String,
    used: u64,
    slot: Slot,
}

impl Shelf {
    /// The place for a component, which may be empty still.
    pub fn slot(&self, owner: &str, digest: &str) -> Slot {
        let mut books = self.books();
        books.clock += 1;
        let used = books.clock;
        if let Some(entry) = books.slots.get_mut(digest) {
            entry.used = used;
            return Arc::clone(&entry.slot);
        }
        let slot = Slot::default();
        let entry = Entry {
            owner: owner.to_owned(),
            used,
            slot: Arc::clone(&slot),
        };
        books.slots.insert(digest.to_owned(), entry);
        books.make_room(owner, digest);
        slot
    }

    /// Puts a component that is made into its place. Somebody may be filling that just now, from a
    /// database that may go away meanwhile: who asks from now on need not wait for them.
    pub fn put(&self, owner: &str, digest: &str, component: Arc<Own>) {
        let slot = self.slot(owner, digest);
        if matches!(slot.get(), Some(Ok(_))) {
            return;
        }
        if let Some(entry) = self.books().slots.get_mut(digest) {
            entry.slot = Arc::new(OnceCell::from(Ok(component)));
        }
    }

    /// Takes an empty place away: there is no such component.
    pub fn forget(&self, digest: &str) {
        let mut books = self.books();
        let is_empty = |entry: &Entry| !entry.slot.initialized();
        if books.slots.get(digest).is_some_and(is_empty) {
            books.slots.remove(digest);
        }
    }

    pub fn has(&self, digest: &str) -> bool {
        let books = self.books();
        let entry = books.slots.get(digest);
        entry.is_some_and(|entry| entry.slot.initialized())
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Whoever has too many gives theirs first; what is used at the time is held by who uses it.
    fn make_room(&mut self, owner: &str, newest: &str) {
        if self.of(owner) > READY_OF_OWNER_MAX {
            self.remove_oldest(newest, |entry| entry.owner == owner);
        }
        if self.slots.len() > READY_MAX {
            self.remove_oldest(newest, |_| true);
        }
    }

    fn of(&self, owner: &str) -> usize {
        let entries = self.slots.values();
        entries.filter(|entry| entry.owner == owner).count()
    }

    fn remove_oldest(&mut self, newest: &str, is_candidate: impl Fn(&Entry) -> bool) {
        let entries = self.slots.iter();
        let oldest = entries
            .filter(|(digest, entry)| *digest != newest && is_candidate(entry))
            .min_by_key(|(_, entry)| entry.used)
            .map(|(digest, _)| digest.clone());
        if let Some(oldest) = oldest {
            self.slots.remove(&oldest);
        }
    }
}
