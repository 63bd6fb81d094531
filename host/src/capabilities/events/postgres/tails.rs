//! The ends of partitions. All groups of a host follow the same few, and are told of news at the same
//! moment: one of them reads, and the others have it from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sqlx::PgPool;

use super::answered;
use super::driver::At;
use super::reading::records;
use crate::capabilities::events::Received;

/// What is read at one time: no further record once either is reached.
pub const RECORDS_MAX: usize = 256;
pub const BYTES_MAX: usize = 1024 * 1024;

/// How long the database may take to answer what there is.
const READ_MS_MAX: u64 = 10_000;

/// Records in their order, or why there are none.
pub type Read = Result<Arc<[Received]>, Arc<sqlx::Error>>;

/// What was read last of each partition: some megabytes a topic at most.
#[derive(Clone)]
pub struct Tails {
    pool: PgPool,
    tails: Arc<Mutex<HashMap<At, Tail>>>,
}

struct Tail {
    from: i64,
    /// What was said to be there before it was read.
    end: i64,
    read: Shared<BoxFuture<'static, Read>>,
}

impl Tails {
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            tails: Arc::default(),
        }
    }

    /// The records of a partition from `from` on, of which those before `end` are there. Somebody else's, if
    /// they asked for the same and were told as much; none: whatever is there, read now. `topic` is its
    /// short name.
    pub fn read(
        &self,
        topic: &str,
        at: &At,
        from: i64,
        end: Option<i64>,
    ) -> impl Future<Output = Read> + Send + 'static {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(end), Some(tail)) = (end, tails.get(at))
            && tail.from == from
            && tail.end >= end
            // What failed is tried again.
            && !tail.read.peek().is_some_and(Result::is_err)
        {
            return tail.read.clone();
        }
        let (pool, topic, place) = (self.pool.clone(), topic.to_owned(), at.clone());
        let read = async move {
            let bytes_max = i64::try_from(BYTES_MAX).unwrap_or(i64::MAX);
            let read = records(&pool, &topic, &place, from, RECORDS_MAX, bytes_max);
            let read = answered(READ_MS_MAX, read).await;
            read.map(Arc::from).map_err(Arc::new)
        };
        let read = read.boxed().shared();
        let tail = Tail {
            from,
            end: end.unwrap_or(from),
            read: read.clone(),
        };
        tails.insert(at.clone(), tail);
        read
    }
}
