//! Who runs next, when guests are busy.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Rounds of everything that is ready, between two turns: what a request needs from its arrival to
/// its answer, so that it is not interrupted half-way each time. With nothing ready a round costs a
/// microsecond.
const ROUNDS: usize = 4;

thread_local! {
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// Resolves when a guest that was interrupted may go on: after everything else on this thread that
/// is ready has run, and one such guest at a time. However many guests loop, the others wait for
/// one tick of the epoch, not for one of each.
pub async fn next() {
    let turn = TURN.with(Arc::clone);
    // Given back before the guest goes on: the next one's turn comes after rounds of its own.
    let _turn = turn.acquire().await;
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}
