//! A guest's connection: a place in the pool, and a connection of its own while it needs one.
//!
//! Outside a transaction each statement takes whatever connection is free. From `begin` on, or
//! after a statement that leaves something behind, the connection is pinned. sqlx does not show the
//! server's transaction status, so [`Effect`] knows the few statements that cannot open one, and
//! everything else is taken to.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use sqlx::postgres::{PgArguments, PgRow, PgStatement};
use sqlx::{Column as _, Statement as _};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::time::timeout;

use super::bindings::{Column, DbValue, ParameterValue};
use super::decode;
use super::error::Error;
use super::kind::Kind;
use super::limits::Limits;
use super::running::{Failure, Held, Outcome, Phase, Running, Stop, Ties};
use super::share::Share;
use super::statement::Effect;

/// Rows that are read at once: a result no longer than this gives its connection back at once.
pub const BATCH_ROWS_MAX: usize = 1024;
/// Bytes that are read at once, give or take a row.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches that are read ahead of the guest.
const BATCHES_AHEAD_MAX: usize = 2;
/// Waiting for another statement of the same guest's connection.
const BUSY_WAIT_MS: u64 = 2_000;
/// Once more, if the first try found a connection that had died since its last use.
const ATTEMPTS_MAX: u32 = 2;

pub type Row = Vec<DbValue>;

#[derive(Clone)]
pub struct Session {
    share: Arc<Share>,
    held: Arc<Mutex<Held>>,
}

/// A result whose rows are on their way.
pub struct Answer {
    pub columns: Vec<Column>,
    pub rows: Rows,
}

pub enum Rows {
    /// All of them; the connection is free again.
    All(Vec<Row>),
    /// The first of them. The rest follows as it is read, then how it ended.
    First {
        first: Batch,
        rest: mpsc::Receiver<Batch>,
        end: oneshot::Receiver<Result<(), Error>>,
    },
}

/// Rows that were read together.
#[derive(Default)]
pub struct Batch {
    pub rows: Vec<Row>,
    /// As the server sent them.
    bytes: usize,
}

impl Session {
    pub fn new(share: Arc<Share>) -> Self {
        Self {
            share,
            held: Arc::new(Mutex::new(Held::Nothing)),
        }
    }

    /// One more connection to the same database.
    pub fn another(&self) -> Self {
        Self::new(Arc::clone(&self.share))
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&self, sql: &str, values: &[ParameterValue]) -> Result<u64, Error> {
        let mut attempt = 1;
        loop {
            match self.try_execute(sql, values).await {
                Err(failure) if failure.ran_nothing && attempt < ATTEMPTS_MAX => attempt += 1,
                Err(failure) => return Err(failure.error),
                Ok(changed) => return Ok(changed),
            }
        }
    }

    /// Runs a statement; gives its columns, and its rows as they come.
    pub async fn query(&self, sql: &str, values: &[ParameterValue]) -> Result<Answer, Error> {
        let mut attempt = 1;
        loop {
            match self.try_query(sql, values).await {
                Err(failure) if failure.ran_nothing && attempt < ATTEMPTS_MAX => attempt += 1,
                Err(failure) => return Err(failure.error),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Runs a statement; gives its columns and all its rows.
    pub async fn query_all(
        &self,
        sql: &str,
        values: &[ParameterValue],
    ) -> Result<(Vec<Column>, Vec<Row>), Error> {
        let Limits {
            result_rows_max,
            result_bytes_max,
            ..
        } = self.share.limits;
        let too_much = || {
            Error::Usage(format!(
                "the result has more than {result_rows_max} rows or {result_bytes_max} bytes: \
                 read it as a stream"
            ))
        };
        let answer = self.query(sql, values).await?;
        let rows = match answer.rows {
            // No more than a batch.
            Rows::All(rows) if rows.len() > result_rows_max => return Err(too_much()),
            Rows::All(rows) => rows,
            Rows::First {
                first: mut all,
                mut rest,
                end,
            } => {
                while let Some(batch) = rest.recv().await {
                    all.bytes += batch.bytes;
                    all.rows.extend(batch.rows);
                    if all.rows.len() > result_rows_max || all.bytes > result_bytes_max {
                        return Err(too_much());
                    }
                }
                end.await.map_err(|_| interrupted())??;
                all.rows
            }
        };
        Ok((answer.columns, rows))
    }

    async fn try_execute(&self, sql: &str, values: &[ParameterValue]) -> Result<u64, Failure> {
        let mut running = self.start(sql).await?;
        let (statement, arguments) = running.prepare(sql, values).await?;
        let outcome = statement
            .query_with(arguments)
            .execute(running.connection())
            .await;
        match outcome {
            Ok(done) => {
                running.finish(Outcome::Done);
                Ok(done.rows_affected())
            }
            Err(error) => Err(running.fail(error, Phase::Running)),
        }
    }

    async fn try_query(&self, sql: &str, values: &[ParameterValue]) -> Result<Answer, Failure> {
        let mut running = self.start(sql).await?;
        let (statement, arguments) = running.prepare(sql, values).await?;
        let kinds: Vec<_> = statement
            .columns()
            .iter()
            .map(|column| Kind::of(column.type_info()))
            .collect();
        let columns = statement.columns().iter().zip(&kinds);
        let columns = columns
            .map(|(column, kind)| Column {
                name: column.name().to_owned(),
                data_type: kind.data_type(),
            })
            .collect();

        let (head_to, mut head) = oneshot::channel();
        let result_bytes_max = self.share.limits.result_bytes_max;
        let rows = RowReader {
            kinds,
            row_bytes_max: result_bytes_max,
        };
        let mut read = Box::pin(read(running, statement, arguments, rows, head_to));
        // Driven from here until the first rows are there: a short result costs no task.
        let rows = tokio::select! {
            biased;
            () = &mut read => match head.try_recv() {
                Ok(head) => head,
                Err(_) => Err(interrupted().into()),
            },
            head = &mut head => {
                tokio::spawn(read);
                head.unwrap_or_else(|_| Err(interrupted().into()))
            }
        };
        Ok(Answer {
            columns,
            rows: rows?,
        })
    }

    async fn wait(&self) -> Result<OwnedMutexGuard<Held>, Error> {
        let patience = Duration::from_millis(BUSY_WAIT_MS);
        timeout(patience, Arc::clone(&self.held).lock_owned())
            .await
            .map_err(|_| {
                Error::Usage(
                    "the connection is busy: another of its results is still being read".into(),
                )
            })
    }

    /// Takes the connection that the statement has to run on.
    async fn start(&self, sql: &str) -> Result<Running, Error> {
        let effect = Effect::of(sql);
        let mut held = match Arc::clone(&self.held).try_lock_owned() {
            Ok(held) => held,
            Err(_) => self.wait().await?,
        };
        // Whoever is interrupted from here on leaves a lost connection, not a used one.
        match mem::replace(&mut *held, Held::Lost) {
            Held::Pinned(mut pinned) => Ok(Running {
                lease: pinned.lease.take(),
                was_pinned: true,
                ties: pinned.ties,
                effect,
                held: Some(held),
            }),
            Held::Lost if !matches!(effect, Effect::Begins) => {
                if matches!(effect, Effect::Ends) {
                    *held = Held::Nothing;
                }
                Err(Error::Connection(
                    "the connection was lost, and its transaction was rolled back".into(),
                ))
            }
            Held::Lost | Held::Nothing => {
                *held = Held::Nothing;
                let lease = self.share.lease().await?;
                let held = match effect {
                    Effect::Plain => None,
                    Effect::Begins | Effect::Ends | Effect::Within | Effect::Marks => {
                        *held = Held::Lost;
                        Some(held)
                    }
                };
                Ok(Running {
                    lease: Some(lease),
                    was_pinned: false,
                    ties: Ties::default(),
                    effect,
                    held,
                })
            }
        }
    }
}

/// Reads the rows: first those for the head, then the rest for as long as somebody takes them.
async fn read(
    mut running: Running,
    statement: PgStatement,
    arguments: PgArguments,
    rows: RowReader,
    head: oneshot::Sender<Result<Rows, Failure>>,
) {
    let mut first = Batch::default();
    let mut stream = statement.query_with(arguments).fetch(running.connection());
    let (rest_to, end_to) = match rows.fill(&mut stream, &mut first).await {
        Stop::Full => {
            let (rest_to, rest) = mpsc::channel(BATCHES_AHEAD_MAX);
            let (end_to, end) = oneshot::channel();
            let first = Rows::First { first, rest, end };
            if head.send(Ok(first)).is_err() {
                drop(stream);
                return running.abandon();
            }
            (rest_to, end_to)
        }
        stop => {
            drop(stream);
            let result = running.stop(stop).map(|()| Rows::All(first.rows));
            // Nobody waits if the guest is gone.
            _ = head.send(result);
            return;
        }
    };
    loop {
        let mut batch = Batch {
            rows: Vec::with_capacity(BATCH_ROWS_MAX),
            bytes: 0,
        };
        let stop = rows.fill(&mut stream, &mut batch).await;
        if rest_to.send(batch).await.is_err() {
            drop(stream);
            return running.abandon();
        }
        if !matches!(stop, Stop::Full) {
            drop(stream);
            let result = running.stop(stop).map_err(|failure| failure.error);
            _ = end_to.send(result);
            return;
        }
    }
}

/// How a statement's rows are read.
struct RowReader {
    kinds: Vec<Kind>,
    /// The driver has read a longer one, but the guest does not get it.
    row_bytes_max: usize,
}

impl RowReader {
    async fn fill(
        &self,
        stream: &mut BoxStream<'_, Result<PgRow, sqlx::Error>>,
        batch: &mut Batch,
    ) -> Stop {
        loop {
            match stream.next().await {
                None => return Stop::Done,
                Some(Err(error)) => return Stop::Refused(error),
                Some(Ok(row)) => match decode::row(&row, &self.kinds, self.row_bytes_max) {
                    Ok((row, bytes)) => {
                        batch.rows.push(row);
                        batch.bytes += bytes;
                    }
                    Err(error) => return Stop::Unreadable(error),
                },
            }
            if batch.rows.len() >= BATCH_ROWS_MAX || batch.bytes >= BATCH_BYTES_MAX {
                return Stop::Full;
            }
        }
    }
}

pub fn interrupted() -> Error {
    Error::Connection("reading the result was interrupted".into())
}
