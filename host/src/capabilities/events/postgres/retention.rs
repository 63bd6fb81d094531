//! What is too old goes, a little at a time.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

const EVERY_MS: u64 = 60_000;
const ROWS_MAX: i64 = 1_000;

/// How long events are kept that a live group has not finished, in retentions of their topic.
const RETENTIONS_MAX: i64 = 2;

/// A group whose partition nobody has read for so long is not alive: nothing is kept for it.
const IDLE_HOURS_MAX: i64 = 7 * 24;

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

/// Deletes what is older than its topic's retention, and members that are long gone. What a live
/// group has not finished stays, for [`RETENTIONS_MAX`] retentions in all. Answers how many records
/// went.
pub async fn prune(pool: &PgPool) -> sqlx::Result<u64> {
    sqlx::query("delete from event_members where alive_until < now() - interval '1 day'")
        .execute(pool)
        .await?;
    let mut deleted = 0;
    for old in old(pool).await? {
        deleted += prune_partition(pool, &old).await?;
    }
    Ok(deleted)
}

/// A partition whose oldest record is too old.
#[derive(sqlx::FromRow)]
struct Old {
    topic: String,
    partition: i32,
    retention_ms: i64,
    /// The first offset that a live group has not finished.
    unfinished: i64,
}

async fn old(pool: &PgPool) -> sqlx::Result<Vec<Old>> {
    sqlx::query_as(
        r#"select
            p.topic,
            p.partition,
            t.retention_ms,
            coalesce(
                (
                    select min(g.committed)
                    from event_groups g
                    where g.topic = p.topic
                        and g.partition = p.partition
                        and g.leased_until > now() - $1 * interval '1 hour'
                ),
                p.next_offset
            ) as unfinished
        from event_partitions p
        join event_topics t on t.topic = p.topic
        cross join lateral (
            select l.published_at
            from event_log l
            where l.topic = p.topic and l.partition = p.partition
            order by l."offset"
            limit 1
        ) oldest
        where oldest.published_at < now() - t.retention_ms * interval '1 millisecond'"#,
    )
    .bind(IDLE_HOURS_MAX)
    .fetch_all(pool)
    .await
}

/// Offsets and times grow together: what is to go lies at the beginning.
async fn prune_partition(pool: &PgPool, old: &Old) -> sqlx::Result<u64> {
    let mut deleted = 0;
    loop {
        let (gone, lost): (i64, i64) = sqlx::query_as(
            r#"with gone as (
                delete from event_log
                where topic = $1 and partition = $2 and "offset" in (
                    select "offset"
                    from (
                        select "offset", published_at
                        from event_log
                        where topic = $1 and partition = $2
                        order by "offset"
                        limit $3
                    ) oldest
                    where published_at < now() - $4 * interval '1 millisecond'
                        and (
                            "offset" < $5
                            or published_at < now() - $6 * $4 * interval '1 millisecond'
                        )
                )
                returning "offset"
            )
            select count(*), count(*) filter (where "offset" >= $5)
            from gone"#,
        )
        .bind(&old.topic)
        .bind(old.partition)
        .bind(ROWS_MAX)
        .bind(old.retention_ms)
        .bind(old.unfinished)
        .bind(RETENTIONS_MAX)
        .fetch_one(pool)
        .await?;
        deleted += gone.unsigned_abs();
        if lost > 0 {
            tracing::error!(
                event.topic = old.topic,
                event.partition = old.partition,
                event.offset = old.unfinished,
                events = lost,
                "events were removed that a group has not finished: their time was up long ago"
            );
        }
        if gone < ROWS_MAX {
            return Ok(deleted);
        }
    }
}
