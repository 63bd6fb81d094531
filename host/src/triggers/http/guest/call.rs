//! One request at a component, seen from both sides: who waits for the answer, and the instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use wasmtime::Trap;

/// How long to wait for an instance to say how it ended, once it is known that it has.
const OBITUARY_TIMEOUT: Duration = Duration::from_secs(1);

/// What became of a call. The first that happens stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    Running,
    /// Nobody waits for the rest of the answer any more.
    Abandoned,
    /// The instance was at it for too long.
    Expired,
    /// The instance used up its fuel.
    OutOfFuel,
    /// The instance trapped.
    Trapped,
    /// The request's body is longer than allowed.
    BodyTooLarge,
    /// The client sent the request's body too slowly, or not on.
    BodyTooSlow,
}

#[derive(Debug, Default)]
pub struct Call {
    fate: AtomicU8,
    /// The instance at work.
    instance: AtomicWaker,
    /// Told when there is a fate that the side that waits for the answer should know of.
    news: Notify,
}

impl Call {
    pub fn fate(&self) -> Fate {
        const FATES: [Fate; 7] = [
            Fate::Running,
            Fate::Abandoned,
            Fate::Expired,
            Fate::OutOfFuel,
            Fate::Trapped,
            Fate::BodyTooLarge,
            Fate::BodyTooSlow,
        ];
        FATES[usize::from(self.fate.load(Ordering::Acquire))]
    }

    pub fn end(&self, fate: Fate) {
        let running = Fate::Running as u8;
        let set =
            (self.fate).compare_exchange(running, fate as u8, Ordering::AcqRel, Ordering::Acquire);
        if set.is_ok() {
            self.instance.wake();
            self.news.notify_one();
        }
    }

    /// Whether the instance should stop. If not, it is woken when that changes.
    pub fn is_over(&self, instance: &Waker) -> bool {
        self.instance.register(instance);
        self.fate() != Fate::Running
    }

    /// Resolves once the call has a fate.
    pub async fn ended(&self) {
        while self.fate() == Fate::Running {
            self.news.notified().await;
        }
    }

    /// The fate of a call whose instance is gone, or is about to be.
    pub async fn obituary(&self) -> Fate {
        let _ = tokio::time::timeout(OBITUARY_TIMEOUT, self.ended()).await;
        self.fate()
    }
}

impl Fate {
    pub fn of(trap: &wasmtime::Error) -> Self {
        match trap.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::OutOfFuel,
            Some(_) | None => Self::Trapped,
        }
    }
}

/// The instance's side: as long as it holds this, it takes up one of the component's places.
pub struct Ticket {
    pub call: Arc<Call>,
    pub _place: OwnedSemaphorePermit,
}

/// The side that waits: dropped before the answer is complete, it stops the instance.
pub struct Interest(Option<Arc<Call>>);

impl Interest {
    pub fn new(call: Arc<Call>) -> Self {
        Self(Some(call))
    }

    /// Whether the instance was stopped before it had answered completely.
    pub fn is_lost(&self) -> bool {
        let call = self.0.as_ref();
        call.is_some_and(|call| call.fate() != Fate::Running)
    }

    /// There is nothing more to wait for. What the instance has yet to do, it may.
    pub fn satisfied(&mut self) {
        self.0 = None;
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        if let Some(call) = &self.0 {
            call.end(Fate::Abandoned);
        }
    }
}
