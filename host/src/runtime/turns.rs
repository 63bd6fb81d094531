//! Who runs next, when guests are busy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Semaphore;

/// Rounds of everything that is ready, between two turns: what a request needs from its arrival to
/// its answer, so that it is not interrupted half-way each time. With nothing ready a round costs a
/// microsecond.
const ROUNDS: usize = 4;

/// Ticks that one call may run through before it takes turns. Ticks are of the clock, and where the machine is
/// busy a thread may be put aside for several of them: a guest that needs a fraction of a millisecond is
/// interrupted then, too. If each of those gave way, those that came later would overtake it, and most requests
/// were fast and some took a second. Go gives a goroutine as long.
const TICKS_FREE: u32 = 10;

/// Times that one call may go on without a turn because it had waited for something before. What a
/// request waits for is a few statements; a guest that waits again and again between its
/// computations takes its turn like one that only computes.
const RESUMPTIONS_MAX: u32 = 16;

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

/// Whether a guest that a tick interrupts has been running since the last one. A tick is a moment,
/// not an amount of work: who has waited for an answer of the database all the while, and has only
/// just gone on, is interrupted all the same, but has nothing to give way for.
#[derive(Clone)]
pub struct Rest(Arc<Rested>);

struct Rested {
    /// Ticks that have interrupted this call.
    ticks: AtomicU32,
    has_waited: AtomicBool,
    resumptions: AtomicU32,
}

impl Default for Rest {
    fn default() -> Self {
        Self(Arc::new(Rested {
            ticks: AtomicU32::new(0),
            has_waited: AtomicBool::new(true),
            resumptions: AtomicU32::new(0),
        }))
    }
}

impl Rest {
    /// A new call begins.
    pub fn begin(&self) {
        self.0.ticks.store(0, Ordering::Relaxed);
        self.0.has_waited.store(true, Ordering::Relaxed);
        self.0.resumptions.store(0, Ordering::Relaxed);
    }

    /// The guest waits: whatever else is ready has room to run.
    pub fn waits(&self) {
        self.0.has_waited.store(true, Ordering::Relaxed);
    }

    /// Notes whenever the future, which runs the guest, waits.
    pub async fn watch<F: Future>(&self, guest: F) -> F::Output {
        let mut guest = pin!(guest);
        std::future::poll_fn(|context| {
            let polled = guest.as_mut().poll(context);
            if polled.is_pending() {
                self.waits();
            }
            polled
        })
        .await
    }

    /// Whether the guest, interrupted now, may go on for another tick.
    pub fn goes_on(&self) -> bool {
        let ticks = self.0.ticks.fetch_add(1, Ordering::Relaxed);
        if ticks < TICKS_FREE {
            return true;
        }
        self.0.has_waited.swap(false, Ordering::Relaxed)
            && self.0.resumptions.fetch_add(1, Ordering::Relaxed) < RESUMPTIONS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_on_for_some_ticks_and_then_only_if_it_has_waited() {
        let rest = Rest::default();
        for _call in 0..2 {
            rest.begin();
            for tick in 0..TICKS_FREE {
                assert!(rest.goes_on(), "{tick}");
            }
            assert!(
                rest.goes_on(),
                "it had not begun to run when the call began"
            );
            assert!(!rest.goes_on());
            rest.waits();
            assert!(rest.goes_on());
            assert!(!rest.goes_on());
        }
    }
}
