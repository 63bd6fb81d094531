//! What is too old goes, a little at a time.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

const EVERY_MS: u64 = 60_000;
const ROWS_MAX: i64 = 1_000;

/// Keeps the log within its retention until `stop`.
pub async fn run(pool: PgPool, stop: CancellationToken) {
    let keeping = async {
        loop {
            tokio::time::sleep(Duration::from_millis(EVERY_MS)).await;
            if let Err(error) = prune(&pool).await {
                tracing::warn!(%error, "could not remove old events");
            }
        }
    };
    stop.run_until_cancelled(keeping).await;
}

/// Deletes what is older than its topic's retention, and members that are long gone. Answers how
/// many records went.
pub async fn prune(pool: &PgPool) -> sqlx::Result<u64> {
    sqlx::query("delete from event_members where alive_until < now() - interval '1 day'")
        .execute(pool)
        .await?;
    let topics: Vec<(String, i64)> = sqlx::query_as("select topic, retention_ms from event_topics")
        .fetch_all(pool)
        .await?;
    let mut deleted = 0;
    for (topic, retention_ms) in topics {
        loop {
            // Another host may be at it as well: each takes rows that the other has not locked.
            let rows = sqlx::query(
                r#"delete from event_log
                where (topic, partition, "offset") in (
                    select topic, partition, "offset"
                    from event_log
                    where topic = $1 and published_at < now() - $2 * interval '1 millisecond'
                    order by published_at
                    limit $3
                    for update skip locked
                )"#,
            )
            .bind(&topic)
            .bind(retention_ms)
            .bind(ROWS_MAX)
            .execute(pool)
            .await?
            .rows_affected();
            deleted += rows;
            if rows < ROWS_MAX.unsigned_abs() {
                break;
            }
        }
    }
    Ok(deleted)
}
