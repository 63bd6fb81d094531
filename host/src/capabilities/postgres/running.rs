//! A statement at work, and what becomes of its connection.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{AssertSqlSafe, Either, Executor as _, SqlSafeStr as _, Statement as _};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::bindings::ParameterValue;
use super::encode;
use super::error::{self, Error};
use super::pool::Lease;
use super::statement::Effect;

/// Rolling back what a guest left open.
const ROLLBACK_TIMEOUT_MS: u64 = 2_000;

/// Why reading a batch came to an end.
pub enum Stop {
    Full,
    Done,
    Refused(sqlx::Error),
    Unreadable(Error),
}

/// What a guest's connection holds between two statements.
pub enum Held {
    Nothing,
    Pinned(Pinned),
    /// It was pinned, and its connection is gone.
    Lost,
}

pub struct Pinned {
    pub lease: Option<Lease>,
    pub ties: Ties,
}

/// Why a connection is pinned.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ties {
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
pub struct Running {
    pub lease: Option<Lease>,
    pub was_pinned: bool,
    pub ties: Ties,
    pub effect: Effect,
    pub held: Option<OwnedMutexGuard<Held>>,
}

/// How a statement ended, for its connection.
pub enum Outcome {
    Done,
    /// The server said no; the connection is as good as before.
    Refused,
    Broken,
}

/// How far a statement had come when it failed.
#[derive(Clone, Copy)]
pub enum Phase {
    Preparing,
    Running,
}

/// An error, and whether the statement surely did nothing.
pub struct Failure {
    pub error: Error,
    pub ran_nothing: bool,
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
    pub fn connection(&mut self) -> &mut sqlx::PgConnection {
        self.lease
            .as_mut()
            .expect("a running statement has its connection")
            .connection()
    }

    /// Prepares without types, so that the server infers them: a statement in the cache costs no
    /// round trip, a NULL fits every parameter, and the columns of an empty result are known.
    pub async fn prepare(
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

    pub fn finish(mut self, outcome: Outcome) {
        self.settle(outcome);
    }

    pub fn stop(mut self, stop: Stop) -> Result<(), Failure> {
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
    pub fn abandon(mut self) {
        if self.was_pinned {
            self.settle(Outcome::Refused);
        } else {
            self.settle(Outcome::Broken);
        }
    }

    pub fn fail(&mut self, error: sqlx::Error, phase: Phase) -> Failure {
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
