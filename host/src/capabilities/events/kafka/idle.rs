//! What is kept for whoever goes on where it stopped, for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Shared: what nobody comes for is dropped in time, where that blocks nobody.
pub struct Shared<K, T>(Mutex<State<K, T>>);

struct State<K, T> {
    idle: Idle<K, T>,
    /// Whether somebody looks after what nobody comes for.
    is_swept: bool,
}

impl<K, T> Shared<K, T>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
{
    pub fn new(count_max: usize, time_max: Duration) -> Self {
        Self(Mutex::new(State {
            idle: Idle::new(count_max, time_max),
            is_swept: false,
        }))
    }

    pub fn take(&self, key: &K) -> Option<T> {
        self.state().idle.take(key)
    }

    /// Keeps it. What has to go for it is dropped here, and may block.
    pub fn keep(self: &Arc<Self>, key: K, what: T) {
        let mut state = self.state();
        let gone = state.idle.keep(key, what, Instant::now());
        if !std::mem::replace(&mut state.is_swept, true) {
            let every = state.idle.time_max / 2;
            tokio::spawn(sweep(Arc::downgrade(self), every));
        }
        drop(state);
        drop(gone);
    }

    fn state(&self) -> MutexGuard<'_, State<K, T>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is old, until nothing is kept.
async fn sweep<K, T>(shared: Weak<Shared<K, T>>, every: Duration)
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
{
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        let old = state.idle.take_old(Instant::now());
        state.is_swept = !state.idle.is_empty();
        let is_over = !state.is_swept;
        drop(state);
        tokio::task::spawn_blocking(move || drop(old));
        if is_over {
            return;
        }
    }
}

/// Kept by key, and for `time_max` at most.
pub struct Idle<K, T> {
    kept: HashMap<K, (T, Instant)>,
    count_max: usize,
    time_max: Duration,
}

impl<K: Hash + Eq + Clone, T> Idle<K, T> {
    pub fn new(count_max: usize, time_max: Duration) -> Self {
        Self {
            kept: HashMap::new(),
            count_max,
            time_max,
        }
    }

    pub fn take(&mut self, key: &K) -> Option<T> {
        let (kept, _) = self.kept.remove(key)?;
        Some(kept)
    }

    /// Keeps it from `now` on; answers what has to go for it.
    pub fn keep(&mut self, key: K, what: T, now: Instant) -> Option<T> {
        let before = self.take(&key);
        let longest = match self.kept.len() < self.count_max {
            true => None,
            false => self.longest(),
        };
        let gone = longest.and_then(|longest| self.take(&longest));
        self.kept.insert(key, (what, now));
        before.or(gone)
    }

    /// Takes what was kept as long as it may be.
    pub fn take_old(&mut self, now: Instant) -> Vec<T> {
        let time_max = self.time_max;
        let old = self
            .kept
            .extract_if(|_, (_, since)| now.duration_since(*since) >= time_max);
        old.map(|(_, (kept, _))| kept).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// What was kept longest.
    fn longest(&self) -> Option<K> {
        let kept = self.kept.iter();
        let (key, _) = kept.min_by_key(|(_, (_, since))| *since)?;
        Some(key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_longest_gives_way_and_what_is_old_goes() {
        let mut idle = Idle::new(2, Duration::from_secs(10));
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(idle.keep("a", 1, at(0)), None);
        assert_eq!(idle.keep("b", 2, at(1)), None);
        assert_eq!(idle.keep("b", 3, at(2)), Some(2), "one of each");
        assert_eq!(idle.keep("c", 4, at(3)), Some(1), "two at most");
        assert_eq!(idle.take_old(at(11)), [0; 0]);
        assert_eq!(idle.take_old(at(12)), [3]);
        assert_eq!((idle.take(&"a"), idle.take(&"c")), (None, Some(4)));
        assert!(idle.is_empty());
    }
}
