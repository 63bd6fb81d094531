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
use sqlx::{AssertSqlSafe, Column as _, Either, Executor as _, SqlSafeStr as _, Statement as _};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::time::timeout;

use super::bindings::{Column, DbValue, ParameterValue};
use super::error::{self, Error};
use super::kind::Kind;
use super::pool::Lease;
use super::share::Share;
use super::statement::Effect;
use super::{decode, encode};

/// Rows that are read at once: a result no longer than this gives its connection back at once.
pub const BATCH_ROWS_MAX: usize = 1024;
/// Bytes that are read at once, give or take a row.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches that are read ahead of the guest.
const BATCHES_AHEAD_MAX: usize = 2;
/// Rows of a result that is given in one piece.
pub const COLLECTED_ROWS_MAX: usize = 100_000;
/// Bytes of a result that is given in one piece.
pub const COLLECTED_BYTES_MAX: usize = 64 << 20;
/// Waiting for another statement of the same guest's connection.
const BUSY_WAIT_MS: u64 = 2_000;
/// Rolling back what a guest left open.
const ROLLBACK_TIMEOUT_MS: u64 = 2_000;
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
        let answer = self.query(sql, values).await?;
        let rows = match answer.rows {
            Rows::All(rows) => rows,
            Rows::First {
                first: mut all,
                mut rest,
                end,
            } => {
                while let Some(batch) = rest.recv().await {
                    all.bytes += batch.bytes;
                    all.rows.extend(batch.rows);
                    if all.rows.len() > COLLECTED_ROWS_MAX || all.bytes > COLLECTED_BYTES_MAX {
                        return Err(Error::Usage(format!(
                            "the result has more than {COLLECTED_ROWS_MAX} rows or \
                             {COLLECTED_BYTES_MAX} bytes: read it as a stream"
                        )));
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
        let mut read = Box::pin(read(running, statement, arguments, kinds, head_to));
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
    kinds: Vec<Kind>,
    head: oneshot::Sender<Result<Rows, Failure>>,
) {
    let mut first = Batch::default();
    let mut stream = statement.query_with(arguments).fetch(running.connection());
    let (rest_to, end_to) = match fill(&mut stream, &kinds, &mut first).await {
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
        let stop = fill(&mut stream, &kinds, &mut batch).await;
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

/// Why reading a batch came to an end.
enum Stop {
    Full,
    Done,
    Refused(sqlx::Error),
    Unreadable(Error),
}

async fn fill(
    stream: &mut BoxStream<'_, Result<PgRow, sqlx::Error>>,
    kinds: &[Kind],
    batch: &mut Batch,
) -> Stop {
    loop {
        match stream.next().await {
            None => return Stop::Done,
            Some(Err(error)) => return Stop::Refused(error),
            Some(Ok(row)) => match decode::row(&row, kinds) {
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

pub fn interrupted() -> Error {
    Error::Connection("reading the result was interrupted".into())
}

/// What a guest's connection holds between two statements.
enum Held {
    Nothing,
    Pinned(Pinned),
    /// It was pinned, and its connection is gone.
    Lost,
}

struct Pinned {
    lease: Option<Lease>,
    ties: Ties,
}

/// Why a connection is pinned.
#[derive(Debug, Clone, Copy, Default)]
struct Ties {
    /// A transaction may be open.
    is_open: bool,
    /// Something may be left that a roll-back does not undo.
    is_marked: bool,
}

impl Drop for Pinned {
    /// Runs when the guest drops its connection, and when a trap or a deadline drops its store.
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        if self.ties.is_marked {
            return lease.close();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return lease.close();
        };
        runtime.spawn(async move {
            let patience = Duration::from_millis(ROLLBACK_TIMEOUT_MS);
            match timeout(patience, lease.connection().execute("rollback")).await {
                Ok(Ok(_)) => drop(lease),
                Ok(Err(_)) | Err(_) => lease.close(),
            }
        });
    }
}

/// A statement at work. Dropped before it has finished, it closes its connection: the server may
/// still be busy with it.
struct Running {
    lease: Option<Lease>,
    was_pinned: bool,
    ties: Ties,
    effect: Effect,
    held: Option<OwnedMutexGuard<Held>>,
}

/// How a statement ended, for its connection.
enum Outcome {
    Done,
    /// The server said no; the connection is as good as before.
    Refused,
    Broken,
}

/// How far a statement had come when it failed.
#[derive(Clone, Copy)]
enum Phase {
    Preparing,
    Running,
}

/// An error, and whether the statement surely did nothing.
struct Failure {
    error: Error,
    ran_nothing: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            ran_nothing: false,
        }
    }
}

impl Running {
    fn connection(&mut self) -> &mut sqlx::PgConnection {
        self.lease
            .as_mut()
            .expect("a running statement has its connection")
            .connection()
    }

    /// Prepares without types, so that the server infers them: a statement in the cache costs no
    /// round trip, a NULL fits every parameter, and the columns of an empty result are known.
    async fn prepare(
        &mut self,
        sql: &str,
        values: &[ParameterValue],
    ) -> Result<(PgStatement, PgArguments), Failure> {
        // Guests write their own SQL: what it may do is the database user's business.
        let sql = AssertSqlSafe(sql).into_sql_str();
        let statement = match self.connection().prepare(sql).await {
            Ok(statement) => statement,
            Err(error) => return Err(self.fail(error, Phase::Preparing)),
        };
        let types = match statement.parameters() {
            Some(Either::Left(types)) => types,
            Some(Either::Right(_)) | None => &[],
        };
        match encode::arguments(types, values) {
            Ok(arguments) => Ok((statement, arguments)),
            Err(error) => {
                self.settle(Outcome::Refused);
                Err(error.into())
            }
        }
    }

    fn finish(mut self, outcome: Outcome) {
        self.settle(outcome);
    }

    fn stop(mut self, stop: Stop) -> Result<(), Failure> {
        match stop {
            Stop::Full | Stop::Done => {
                self.settle(Outcome::Done);
                Ok(())
            }
            Stop::Refused(error) => Err(self.fail(error, Phase::Running)),
            Stop::Unreadable(error) => {
                self.abandon();
                Err(error.into())
            }
        }
    }

    /// Leaves the rest of a result unread. Inside a transaction it is read over with the next
    /// statement; otherwise the connection is closed, since the rest may be long.
    fn abandon(mut self) {
        if self.was_pinned {
            self.settle(Outcome::Refused);
        } else {
            self.settle(Outcome::Broken);
        }
    }

    fn fail(&mut self, error: sqlx::Error, phase: Phase) -> Failure {
        let is_stale = error::is_stale_plan(&error);
        let is_broken = error::is_broken(&error);
        let is_fresh = self.lease.as_ref().is_some_and(Lease::is_fresh);
        let did_nothing = match phase {
            Phase::Preparing => is_broken || is_stale,
            Phase::Running => is_stale,
        };
        if let (true, Some(lease)) = (is_broken || is_stale, &self.lease) {
            lease.forget_others();
        }
        let ran_nothing = did_nothing && !is_fresh && !self.was_pinned;
        self.settle(if is_broken || (is_stale && !self.was_pinned) {
            Outcome::Broken
        } else {
            Outcome::Refused
        });
        Failure {
            error: error.into(),
            ran_nothing,
        }
    }

    /// Gives the connection to whom it belongs now.
    fn settle(&mut self, outcome: Outcome) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let ties = Ties {
            is_open: match (self.effect, &outcome) {
                (Effect::Begins, Outcome::Done) => true,
                (Effect::Ends, Outcome::Done) => false,
                _ => self.ties.is_open,
            },
            is_marked: self.ties.is_marked || self.effect == Effect::Marks,
        };
        let next = match outcome {
            Outcome::Broken => {
                lease.close();
                if self.was_pinned {
                    Held::Lost
                } else {
                    Held::Nothing
                }
            }
            Outcome::Done | Outcome::Refused if ties.is_open || ties.is_marked => {
                Held::Pinned(Pinned {
                    lease: Some(lease),
                    ties,
                })
            }
            Outcome::Done | Outcome::Refused => Held::Nothing,
        };
        if let Some(mut held) = self.held.take() {
            *held = next;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.close();
        }
    }
}
