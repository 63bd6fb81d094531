//! When the relay looks: it is woken, or looks by itself for a while.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::time::Instant;

/// How often the relay looks without having been woken.
const POLL_MS: u64 = 1_000;
/// How often it looks for a while after there was something: nobody wakes it then. The first event is
/// published at once; those that come soon after it share a batch, as with `linger.ms` of Kafka's producers.
pub const POLL_AWAKE_MS: u64 = 25;
/// For so long, without anything new.
const AWAKE_MS: u64 = 200;
/// Held while it is awake: the function `outbox_wake` in the database looks at it.
const AWAKE_LOCK: i64 = 5_788_045_112_600_949_587;

/// Whether the relay looks by itself, so that nobody has to wake it: a notification at every commit
/// would make all commits wait for each other.
#[derive(Default)]
pub struct Wake {
    /// Set while the lock is held: until when, unless there is something new.
    until: Option<Instant>,
}

impl Wake {
    /// There was something: the relay stays awake.
    pub async fn stay(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.until.is_none() {
            // Somebody may be looking at it at this moment: the next time, then.
            let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
                .bind(AWAKE_LOCK)
                .fetch_one(connection)
                .await?;
            if !locked {
                return Ok(());
            }
        }
        self.until = Some(Instant::now() + Duration::from_millis(AWAKE_MS));
        Ok(())
    }

    /// How long to wait, since there is nothing; `None`: look once more before you sleep, for
    /// what was committed while nobody had to wake the relay.
    pub async fn pause(&mut self, connection: &mut PgConnection) -> sqlx::Result<Option<Duration>> {
        match self.until {
            None => Ok(Some(Duration::from_millis(POLL_MS))),
            Some(until) if Instant::now() < until => Ok(Some(Duration::from_millis(POLL_AWAKE_MS))),
            Some(_) => {
                sqlx::query("select pg_advisory_unlock($1)")
                    .bind(AWAKE_LOCK)
                    .execute(connection)
                    .await?;
                self.until = None;
                Ok(None)
            }
        }
    }
}
