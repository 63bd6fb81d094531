//! Who runs next, when guests are busy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Rounds of everything that is ready, between two turns: what a request needs from its arrival to
/// its answer, so that it is not interrupted half-way each time. With nothing ready a round costs a
/// microsecond.
const ROUNDS: usize = 4;

thread_local! {
    static TURN: Arc<Semaphore> = one();
    /// A component's, by its id.
    static TURNS: RefCell<HashMap<String, Arc<Semaphore>>> = RefCell::default();
}

fn one() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

/// Resolves when a guest of `component` that was interrupted may go on: after everything else on
/// this thread that is ready has run, and one such guest at a time. The guests of a component agree
/// on one of them first: components take turns, however many guests each has. However many loop,
/// the others wait for a tick of the epoch for each component, not for one of each guest.
pub async fn next(component: &str) {
    let of_component = of(component);
    // Kept in this order: whose turn it is gives back the thread's before its component's.
    let _of_component = of_component.acquire().await;
    let of_thread = TURN.with(Arc::clone);
    // Given back before the guest goes on: the next one's turn comes after rounds of its own.
    let _of_thread = of_thread.acquire().await;
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

fn of(component: &str) -> Arc<Semaphore> {
    TURNS.with_borrow_mut(|turns| match turns.get(component) {
        Some(turn) => Arc::clone(turn),
        None => Arc::clone(turns.entry(component.to_owned()).or_insert_with(one)),
    })
}
