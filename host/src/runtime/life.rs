//! What one version of a component has in hand, and whether its time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The life of one version: every clone of its `Component` shares it.
#[derive(Debug, Default)]
pub struct Life {
    requests: AtomicUsize,
    events: AtomicUsize,
    instances: AtomicUsize,
    over: CancellationToken,
    quiet: Notify,
}

/// What a version can have in hand.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// A request, until the head of its answer is there.
    Request,
    /// An event, until the component has said what became of it.
    Event,
    /// An instance, idle ones and those that still stream an answer included.
    Instance,
}

/// How much a version has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Load {
    pub requests_in_flight: usize,
    pub events_in_flight: usize,
    pub instances: usize,
}

/// One piece of work, for as long as it lasts.
#[derive(Debug)]
pub struct Piece {
    life: Arc<Life>,
    work: Work,
}

impl Life {
    pub fn begin(self: &Arc<Self>, work: Work) -> Piece {
        self.count(work).fetch_add(1, Ordering::Relaxed);
        Piece {
            life: Arc::clone(self),
            work,
        }
    }

    pub fn load(&self) -> Load {
        Load {
            requests_in_flight: self.requests.load(Ordering::Relaxed),
            events_in_flight: self.events.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
        }
    }

    /// Nothing new is begun from now on; idle instances go at once.
    pub(super) fn end(&self) {
        self.over.cancel();
    }

    /// Resolves when the version's time is over. Instances that wait for work wait for this, too.
    pub fn over(&self) -> WaitForCancellationFutureOwned {
        self.over.clone().cancelled_owned()
    }

    /// Whether the version's time is over and nothing of it is left.
    pub fn is_drained(&self) -> bool {
        let Load {
            requests_in_flight,
            events_in_flight,
            instances,
        } = self.load();
        self.over.is_cancelled() && requests_in_flight + events_in_flight + instances == 0
    }

    /// Resolves once the version is drained. One waits at a time.
    pub(super) async fn drained(&self) {
        self.over.cancelled().await;
        while !self.is_drained() {
            self.quiet.notified().await;
        }
    }

    fn count(&self, work: Work) -> &AtomicUsize {
        match work {
            Work::Request => &self.requests,
            Work::Event => &self.events,
            Work::Instance => &self.instances,
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.life.count(self.work).fetch_sub(1, Ordering::Relaxed);
        if self.life.over.is_cancelled() {
            self.life.quiet.notify_one();
        }
    }
}
