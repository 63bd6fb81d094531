//! Who runs next, when guests are busy.

use std::sync::Arc;

use tokio::sync::Semaphore;

thread_local! {
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// Resolves when a guest that was interrupted may go on: after everything else on this thread that
/// is ready has run, and one such guest at a time. However many guests loop, the others wait for
/// one tick of the epoch, not for one of each.
pub async fn next() {
    let turn = TURN.with(Arc::clone);
    // Given back before the guest goes on: the next one's turn comes a round later.
    let _turn = turn.acquire().await;
    tokio::task::yield_now().await;
}
