//! Threads that serve connections, one a core, each with a runtime of its own: a request and the
//! instance that answers it stay on one core, and nothing is handed between threads.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    static ENDING: Cell<bool> = const { Cell::new(false) };
}

/// How many lanes there are.
pub fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// The lane that this thread is, from 1 to [`count`]; 0 for all other threads together.
pub fn current() -> usize {
    CURRENT.get()
}

/// Whether this thread's lane is being taken down, and the idle instances in it with it.
pub fn ending() -> bool {
    ENDING.get()
}

/// Work that becomes a task of the lane it is given to.
type Job = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

pub struct Lanes(Vec<Lane>);

struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
    /// Jobs that it has taken and not ended.
    load: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
}

impl Lanes {
    pub fn start() -> anyhow::Result<Self> {
        let lanes = (1..=count()).map(Lane::start);
        Ok(Self(lanes.collect::<anyhow::Result<_>>()?))
    }

    /// Gives the job to the lane that has the fewest.
    pub fn spawn<F>(&self, job: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let lanes = self.0.iter();
        let lane = lanes.min_by_key(|lane| lane.load.load(Ordering::Relaxed));
        let lane = lane.expect("there is at least one core");
        lane.load.fetch_add(1, Ordering::Relaxed);
        // A lane's thread waits for jobs until this sender is gone.
        let _ = lane.jobs.send(Box::new(move || Box::pin(job())));
    }

    /// Takes no more jobs. Whether those under way have ended in time.
    pub async fn finish(self, timeout: Duration) -> bool {
        let mut ends = Vec::new();
        for Lane { ended, .. } in self.0 {
            ends.push(ended);
        }
        tokio::time::timeout(timeout, futures::future::join_all(ends))
            .await
            .is_ok()
    }
}

impl Lane {
    fn start(number: usize) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start a runtime")?;
        let (jobs, taken) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let load = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&load);
        std::thread::Builder::new()
            .name(format!("http-{number}"))
            .spawn(move || {
                CURRENT.set(number);
                runtime.block_on(work(taken, counted));
                ENDING.set(true);
                drop(runtime);
                drop(end);
            })
            .context("could not start a thread")?;
        Ok(Self { jobs, load, ended })
    }
}

async fn work(mut jobs: mpsc::UnboundedReceiver<Job>, load: Arc<AtomicUsize>) {
    let tasks = TaskTracker::new();
    while let Some(job) = jobs.recv().await {
        let counted = Counted(Arc::clone(&load));
        let job = job();
        tasks.spawn(async move {
            job.await;
            drop(counted);
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// A job that a lane has, until it has ended in whatever way.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
