//! Threads that serve connections, one a core, each with a runtime of its own: a request and the
//! instance that answers it stay on one core, and nothing is handed between threads.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long a lane may take to drop what is left in it.
const END_TIMEOUT: Duration = Duration::from_secs(1);

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

/// All of them end together: what one needs may live on another, a connection to a server say.
pub struct Lanes {
    lanes: Vec<Lane>,
    end: CancellationToken,
    _ends: DropGuard,
}

struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
    /// Jobs that it has taken and not ended.
    load: Arc<AtomicUsize>,
    /// Resolves when it takes no more jobs, and the last has ended.
    idle: oneshot::Receiver<()>,
    ended: oneshot::Receiver<()>,
}

impl Lanes {
    pub fn start() -> anyhow::Result<Self> {
        let end = CancellationToken::new();
        let lanes = (1..=count()).map(|number| Lane::start(number, end.clone()));
        Ok(Self {
            lanes: lanes.collect::<anyhow::Result<_>>()?,
            _ends: end.clone().drop_guard(),
            end,
        })
    }

    /// Gives the job to the lane that has the fewest.
    pub fn spawn<F>(&self, job: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let lanes = self.lanes.iter();
        let lane = lanes.min_by_key(|lane| lane.load.load(Ordering::Relaxed));
        let lane = lane.expect("there is at least one core");
        lane.load.fetch_add(1, Ordering::Relaxed);
        // A lane's thread waits for jobs until this sender is gone.
        let _ = lane.jobs.send(Box::new(move || Box::pin(job())));
    }

    /// Takes no more jobs. Ends all lanes when the last job has ended and `quiet` resolves after
    /// it, or at the time-out. Whether they were in time.
    pub async fn finish(self, quiet: impl Future<Output = ()>, timeout: Duration) -> bool {
        let mut idles = Vec::new();
        let mut ends = Vec::new();
        for Lane { idle, ended, .. } in self.lanes {
            idles.push(idle);
            ends.push(ended);
        }
        let done = async {
            join_all(idles).await;
            quiet.await;
        };
        let in_time = tokio::time::timeout(timeout, done).await.is_ok();
        self.end.cancel();
        // A guest that computes is interrupted first.
        let _ = tokio::time::timeout(END_TIMEOUT, join_all(ends)).await;
        in_time
    }
}

impl Lane {
    fn start(number: usize, all_end: CancellationToken) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start a runtime")?;
        let (jobs, taken) = mpsc::unbounded_channel();
        let (is_idle, idle) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        let load = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&load);
        std::thread::Builder::new()
            .name(format!("http-{number}"))
            .spawn(move || {
                CURRENT.set(number);
                runtime.block_on(async {
                    let worked = all_end.run_until_cancelled(work(taken, counted)).await;
                    drop(is_idle);
                    if worked.is_some() {
                        all_end.cancelled().await;
                    }
                });
                ENDING.set(true);
                drop(runtime);
                drop(end);
            })
            .context("could not start a thread")?;
        Ok(Self {
            jobs,
            load,
            idle,
            ended,
        })
    }
}

async fn work(mut jobs: mpsc::UnboundedReceiver<Job>, load: Arc<AtomicUsize>) {
    let tasks = TaskTracker::new();
    while let Some(job) = jobs.recv().await {
        let load = Arc::clone(&load);
        let job = job();
        tasks.spawn(async move {
            job.await;
            load.fetch_sub(1, Ordering::Relaxed);
        });
    }
    tasks.close();
    tasks.wait().await;
}
