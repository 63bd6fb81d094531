//! Instances that have done their work and are kept for more.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use praxis_wasi::State;
use wasmtime::Store;
use wasmtime::component::Accessor;

/// Instances of one version of a component that are kept while there is nothing for them to do.
const SPARE_MAX: usize = 64;

/// Instances of one version that wait for work. Whoever takes one is alone with it until it is put
/// back; one that trapped, was stopped or has not come to rest is not.
pub struct Spares<I> {
    kept: Mutex<Vec<Instance<I>>>,
    uses_max: u32,
}

/// An instance, and how often it was used.
pub struct Instance<I> {
    pub store: Store<State>,
    pub exports: I,
    uses: u32,
}

/// What a call has answered.
pub struct Answered<T> {
    pub answer: T,
    /// Whether nothing of the guest's goes on after its answer: it would do so within somebody
    /// else's call, and in that one's time.
    pub is_at_rest: bool,
}

impl<T> Answered<T> {
    /// Right after the answer.
    pub async fn now(answer: T, accessor: &Accessor<State>) -> Self {
        let is_at_rest =
            poll_fn(|cx| Poll::Ready(accessor.poll_no_interesting_tasks(cx).is_ready())).await;
        Self { answer, is_at_rest }
    }
}

impl<I> Instance<I> {
    pub fn fresh(store: Store<State>, exports: I) -> Self {
        Self {
            store,
            exports,
            uses: 0,
        }
    }
}

impl<I> Spares<I> {
    /// Each instance is used `uses_max` times; with 1, none is kept.
    pub fn new(uses_max: u32) -> Self {
        Self {
            kept: Mutex::default(),
            uses_max,
        }
    }

    /// The one that was put back last: its memory is warm.
    pub fn take(&self) -> Option<Instance<I>> {
        if self.uses_max == 1 {
            return None;
        }
        self.kept().pop()
    }

    /// Keeps an instance that has done its work well, unless it has been used often enough.
    pub fn put_back(&self, mut instance: Instance<I>) {
        instance.uses += 1;
        if instance.uses >= self.uses_max {
            return;
        }
        let mut kept = self.kept();
        if kept.len() < SPARE_MAX {
            kept.push(instance);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Instance<I>>> {
        // Nothing panics while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
