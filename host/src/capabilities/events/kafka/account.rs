//! What a lane has told of its progress, and what of that the broker is yet to hear.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::capabilities::events::{Error, Progress};

/// Events that may be done and not committed, before the commit's time has come: a crash delivers
/// as many again.
const UNCOMMITTED_EVENTS_MAX: u64 = 1_024;

/// A partition's, while it is this member's.
pub struct Account {
    told: Mutex<Told>,
    /// Tells the driver that there is something to commit.
    news: Arc<Notify>,
}

struct Told {
    /// What is to be committed.
    waiting: Option<Progress>,
    /// How many offsets were done when that was last asked for.
    taken: u64,
    /// Whether the partition is still this member's, and the lane its present one.
    is_current: bool,
}

impl Account {
    pub fn new(before: &Progress, news: Arc<Notify>) -> Self {
        Self {
            told: Mutex::new(Told {
                waiting: None,
                taken: before.count(),
                is_current: true,
            }),
            news,
        }
    }

    pub fn tell(&self, progress: Progress) -> Result<(), Error> {
        let mut told = self.told();
        if !told.is_current {
            return Err(Error::Lost);
        }
        let is_first = told.waiting.is_none();
        told.waiting = Some(progress);
        if is_first || told.is_much() {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Whether more waits than should.
    pub fn is_urgent(&self) -> bool {
        self.told().is_much()
    }

    pub fn has_news(&self) -> bool {
        self.told().waiting.is_some()
    }

    /// What is to be committed now.
    pub fn take(&self) -> Option<Progress> {
        let mut told = self.told();
        let progress = told.waiting.take()?;
        told.taken = progress.count();
        Some(progress)
    }

    /// It could not be committed: it waits again, unless there is more to say by now.
    pub fn put_back(&self, progress: Progress) {
        self.told().waiting.get_or_insert(progress);
    }

    /// From now on the lane learns that the partition is lost: what it tells would move another's
    /// progress back.
    pub fn close(&self) {
        self.told().is_current = false;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while it is held.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn is_much(&self) -> bool {
        let waiting = self.waiting.as_ref();
        let more = waiting.map_or(0, |progress| progress.count().saturating_sub(self.taken));
        more >= UNCOMMITTED_EVENTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_committed_waits_again_and_gives_way_to_what_is_newer() {
        let account = Account::new(&Progress::default(), Arc::default());
        account.tell(Progress::through(3)).unwrap();
        let first = account.take().unwrap();
        assert_eq!(account.take(), None);
        account.put_back(first);
        assert_eq!(account.take(), Some(Progress::through(3)));
        account.tell(Progress::through(5)).unwrap();
        account.put_back(Progress::through(3));
        assert_eq!(account.take(), Some(Progress::through(5)));
    }

    #[test]
    fn a_lane_that_is_not_the_present_one_is_told_so_and_not_heard() {
        let account = Account::new(&Progress::default(), Arc::default());
        account.close();
        let told = account.tell(Progress::through(3));
        assert!(matches!(told, Err(Error::Lost)), "{told:?}");
        assert_eq!(account.take(), None);
    }

    #[test]
    fn many_events_are_urgent_also_beyond_one_that_is_not_done() {
        let account = Account::new(&Progress::through(9), Arc::default());
        let progress = |events| Progress {
            done: std::iter::once(20..20 + events).collect(),
            ..Progress::through(9)
        };
        account.tell(progress(UNCOMMITTED_EVENTS_MAX - 1)).unwrap();
        assert!(!account.is_urgent());
        account.tell(progress(UNCOMMITTED_EVENTS_MAX)).unwrap();
        assert!(account.is_urgent());
        account.take().unwrap();
        assert!(!account.is_urgent());
    }
}
