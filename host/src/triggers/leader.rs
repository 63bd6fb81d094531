//! One host among all does a thing: the one that holds an advisory lock of PostgreSQL.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio_util::sync::CancellationToken;

/// How often the others ask whether the lock is free.
const CANDIDATE_MS: u64 = 2_000;

/// How long PostgreSQL may take to answer before the connection counts as lost.
const ANSWER_MS_MAX: u64 = 10_000;

/// What can be led.
#[derive(Debug, Clone, Copy)]
pub enum Office {
    Relay,
    Timers,
}

impl Office {
    /// The key of its lock: the same in every version of the host.
    fn key(self) -> i64 {
        match self {
            Self::Relay => 0x7072_6178_0001,
            Self::Timers => 0x7072_6178_0002,
        }
    }
}

/// The lock, and the connection that holds it: the one ends with the other.
pub struct Leader {
    pub connection: PgConnection,
}

impl Leader {
    /// Waits until this host is the leader. `None` once `stop` fires.
    pub async fn elected(
        options: &PgConnectOptions,
        office: Office,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let election = async {
            loop {
                match Self::stand(options, office).await {
                    Ok(leader) => return leader,
                    Err(error) => tracing::debug!(%error, ?office, "could not stand for election"),
                }
                tokio::time::sleep(Duration::from_millis(CANDIDATE_MS)).await;
            }
        };
        let leader = stop.run_until_cancelled(election).await?;
        tracing::info!(?office, "this host leads now");
        Some(leader)
    }

    /// Asks for the lock, on one connection, until it is free.
    async fn stand(options: &PgConnectOptions, office: Office) -> sqlx::Result<Self> {
        let mut connection = answered(options.connect()).await?;
        loop {
            let elected = sqlx::query_scalar("select pg_try_advisory_lock($1)")
                .bind(office.key())
                .fetch_one(&mut connection);
            if answered(elected).await? {
                return Ok(Self { connection });
            }
            tokio::time::sleep(Duration::from_millis(CANDIDATE_MS)).await;
        }
    }

    /// Whether this host still leads.
    pub async fn confirm(&mut self) -> sqlx::Result<()> {
        answered(self.connection.ping()).await
    }
}

/// An answer from PostgreSQL, or an error if it takes too long: a connection whose other end is
/// gone may never say so.
pub async fn answered<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(Duration::from_millis(ANSWER_MS_MAX), answer)
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}
