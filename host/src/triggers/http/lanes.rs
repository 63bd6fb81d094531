//! Threads that serve connections, one a core, each with a runtime of its own: a request and the
//! instance that answers it stay on one core, and nothing is handed between threads. But clients keep using
//! the connection that they used last, and those may all be of one lane: what is too much for it, another
//! answers.

use std::cell::{Cell, OnceCell};
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

/// A lane helps one that is at so many requests more than at twice its own.
const HELPED_FROM: usize = 2;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    static ENDING: Cell<bool> = const { Cell::new(false) };
    static PEERS: OnceCell<Arc<[Peer]>> = const { OnceCell::new() };
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

/// A lane, as the others know it.
struct Peer {
    help: mpsc::UnboundedSender<Job>,
    /// Requests that it is at.
    under_way: Arc<AtomicUsize>,
}

impl Peer {
    fn at(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// Answers a request on this lane, or on the one with the fewest if it has too many. None: that one has
/// ended before it was done. Dropped, it ends there too.
pub async fn shared<F, T>(work: impl FnOnce() -> F + Send + 'static) -> Option<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let Some(peers) = PEERS.with(|peers| peers.get().cloned()) else {
        return Some(work().await);
    };
    let here = &peers[current() - 1];
    let there = peers.iter().min_by_key(|peer| peer.at());
    let there = there.filter(|there| here.at() >= 2 * there.at() + HELPED_FROM);
    let Some(there) = there else {
        let _counted = Counted::begin(&here.under_way);
        return Some(work().await);
    };
    let counted = Counted::begin(&there.under_way);
    let (mut answered, answer) = oneshot::channel();
    let job = move || {
        let work = work();
        async move {
            let done = tokio::select! {
                biased;
                done = work => Some(done),
                () = answered.closed() => None,
            };
            drop(counted);
            if let Some(done) = done {
                // Whoever asked may have gone in this moment.
                let _ = answered.send(done);
            }
        }
    };
    let job: Job = Box::new(move || Box::pin(job()));
    // It lives until the last connection has ended, and this one has not.
    let _ = there.help.send(job);
    answer.await.ok()
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
        let (peers, helped): (Vec<_>, Vec<_>) = (0..count())
            .map(|_| {
                let (help, helped) = mpsc::unbounded_channel();
                let under_way = Arc::default();
                (Peer { help, under_way }, helped)
            })
            .unzip();
        let peers: Arc<[Peer]> = peers.into();
        let lanes = helped.into_iter().zip(1..).map(|(helped, number)| {
            let peers = Arc::clone(&peers);
            Lane::start(number, end.clone(), peers, helped)
        });
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
        let counted = Counted::begin(&lane.load);
        let job = move || {
            let job = job();
            async move {
                job.await;
                drop(counted);
            }
        };
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
    fn start(
        number: usize,
        all_end: CancellationToken,
        peers: Arc<[Peer]>,
        helped: mpsc::UnboundedReceiver<Job>,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start a runtime")?;
        let (jobs, taken) = mpsc::unbounded_channel();
        let (is_idle, idle) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name(format!("http-{number}"))
            .spawn(move || {
                CURRENT.set(number);
                PEERS.with(|all| _ = all.set(peers));
                runtime.block_on(async {
                    // Not waited for: a request that is helped with ends before its connection does.
                    tokio::spawn(work(helped));
                    let worked = all_end.run_until_cancelled(work(taken)).await;
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
            load: Arc::default(),
            idle,
            ended,
        })
    }
}

async fn work(mut jobs: mpsc::UnboundedReceiver<Job>) {
    let tasks = TaskTracker::new();
    while let Some(job) = jobs.recv().await {
        tasks.spawn(job());
    }
    tasks.close();
    tasks.wait().await;
}

/// A job or a request that a lane has, until it has ended in whatever way.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn what_is_too_much_for_one_another_answers() {
        let at_one_time = 2 * count() + 2;
        let lanes = Lanes::start().unwrap();
        let all_are_there = Arc::new(Barrier::new(at_one_time));
        let (told, seen) = oneshot::channel();
        lanes.spawn(move || async move {
            let each = (0..at_one_time).map(|_| {
                let all_are_there = Arc::clone(&all_are_there);
                shared(move || async move {
                    all_are_there.wait().await;
                    current()
                })
            });
            let mut seen: Vec<_> = join_all(each)
                .await
                .into_iter()
                .map(Option::unwrap)
                .collect();
            seen.sort_unstable();
            seen.dedup();
            told.send(seen).unwrap();
        });
        let all: Vec<_> = (1..=count()).collect();
        assert_eq!(seen.await.unwrap(), all);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends_wherever_it_runs() {
        const AT_ONE_TIME: usize = 8;
        let lanes = Lanes::start().unwrap();
        let running = Arc::new(Mutex::new(()));
        let held = Arc::clone(&running);
        lanes.spawn(move || async move {
            let each = (0..AT_ONE_TIME).map(|_| {
                let held = Arc::clone(&held);
                shared(move || async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                })
            });
            let _ = tokio::time::timeout(Duration::from_millis(100), join_all(each)).await;
        });
        while Arc::strong_count(&running) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
