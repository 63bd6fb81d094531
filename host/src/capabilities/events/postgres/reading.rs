//! What the log holds, from where, and how far a group is behind. Every question is answered from
//! an index.

use sqlx::PgPool;

use super::driver::At;
use crate::capabilities::events::cloudevents::{self, Origin};
use crate::capabilities::events::{Extent, Lag, Progress, Received};

/// What each partition of the topic holds.
pub async fn extent(pool: &PgPool, topic: &str) -> sqlx::Result<Vec<Extent>> {
    let rows: Vec<(i32, i64, i64)> = sqlx::query_as(
        r#"select p.partition, coalesce(oldest."offset", p.next_offset), p.next_offset
        from event_partitions p
        left join lateral (
            select l."offset"
            from event_log l
            where l.topic = p.topic and l.partition = p.partition
            order by l."offset"
            limit 1
        ) oldest on true
        where p.topic = $1
        order by p.partition"#,
    )
    .bind(topic)
    .fetch_all(pool)
    .await?;
    let extent = |(partition, start, end): (i32, i64, i64)| Extent {
        partition: partition.unsigned_abs(),
        start: start.unsigned_abs(),
        end: end.unsigned_abs(),
    };
    Ok(rows.into_iter().map(extent).collect())
}

/// The records of a partition from the first at or after `from`: no more than `records_max`, and
/// no further one once there are `bytes_max` of data. `topic` is its short name.
pub async fn records(
    pool: &PgPool,
    topic: &str,
    at: &At,
    from: i64,
    records_max: usize,
    bytes_max: i64,
) -> sqlx::Result<Vec<Received>> {
    type Row = (i64, String, serde_json::Value, Vec<u8>, i64);
    let rows: Vec<Row> = sqlx::query_as(
        r#"select
            "offset",
            key,
            headers,
            data,
            (extract(epoch from published_at) * 1000)::bigint
        from (
            select *, sum(octet_length(data)) over (order by "offset") as bytes
            from (
                select *
                from event_log
                where topic = $1 and partition = $2 and "offset" >= $3
                order by "offset"
                limit $4
            ) there
        ) counted
        where bytes - octet_length(data) < $5
        order by "offset""#,
    )
    .bind(&at.0)
    .bind(at.1)
    .bind(from)
    .bind(i64::try_from(records_max).unwrap_or(i64::MAX))
    .bind(bytes_max)
    .fetch_all(pool)
    .await?;
    let record = |(offset, key, headers, data, published_ms): Row| {
        let origin = Origin {
            topic: topic.to_owned(),
            partition: at.1.unsigned_abs(),
            offset: offset.unsigned_abs(),
            published_ms: published_ms.unsigned_abs(),
        };
        let headers = headers.as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = headers.map(|(name, value)| (name, value.map(str::as_bytes)));
        cloudevents::read(origin, key.as_bytes(), &data, headers)
    };
    Ok(rows.into_iter().map(record).collect())
}

/// The first offset that was published at `time_ms` or later. Offsets and times grow together, so
/// each question halves what is left; there are 63 at most.
pub async fn offset_at(pool: &PgPool, at: &At, time_ms: u64) -> sqlx::Result<u64> {
    let (mut low, mut high) = bounds(pool, at).await?;
    while low < high {
        let middle = low + (high - low) / 2;
        // The first one kept at or after the middle: retention may have left gaps.
        let found: Option<(i64, i64)> = sqlx::query_as(
            r#"select "offset", (extract(epoch from published_at) * 1000)::bigint
            from event_log
            where topic = $1 and partition = $2 and "offset" >= $3
            order by "offset"
            limit 1"#,
        )
        .bind(&at.0)
        .bind(at.1)
        .bind(middle)
        .fetch_optional(pool)
        .await?;
        match found {
            Some((offset, published_ms)) if published_ms.unsigned_abs() < time_ms => {
                low = offset + 1;
            }
            _ => high = middle,
        }
    }
    Ok(low.unsigned_abs())
}

/// The oldest offset that is kept, and the end.
async fn bounds(pool: &PgPool, at: &At) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        r#"select
            coalesce(
                (
                    select l."offset"
                    from event_log l
                    where l.topic = p.topic and l.partition = p.partition
                    order by l."offset"
                    limit 1
                ),
                p.next_offset
            ),
            p.next_offset
        from event_partitions p
        where p.topic = $1 and p.partition = $2"#,
    )
    .bind(&at.0)
    .bind(at.1)
    .fetch_one(pool)
    .await
}

/// How far the group is behind. All names are full.
pub async fn lag(pool: &PgPool, group: &str, topics: &[String]) -> sqlx::Result<Vec<Lag>> {
    type Row = (String, i32, i64, String, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        r#"select
            p.topic,
            p.partition,
            coalesce(g.committed, 0),
            coalesce(g.note, ''),
            p.next_offset,
            coalesce(waiting."offset", p.next_offset),
            coalesce(
                (extract(epoch from clock_timestamp() - waiting.published_at) * 1000)::bigint,
                0
            )
        from event_partitions p
        left join event_groups g
            on g.group_id = $1 and g.topic = p.topic and g.partition = p.partition
        left join lateral (
            select l."offset", l.published_at
            from event_log l
            where l.topic = p.topic
                and l.partition = p.partition
                and l."offset" >= coalesce(g.committed, 0)
            order by l."offset"
            limit 1
        ) waiting on true
        where p.topic = any($2)
        order by p.topic, p.partition"#,
    )
    .bind(group)
    .bind(topics)
    .fetch_all(pool)
    .await?;
    let lag = |(topic, partition, committed, note, end, waiting, behind_ms): Row| {
        let progress = Progress::read(committed.unsigned_abs(), &note);
        Lag {
            group: group.to_owned(),
            topic,
            partition: partition.unsigned_abs(),
            committed: progress.next,
            end: end.unsigned_abs(),
            // What retention took can't be read any more.
            lag: progress.left(waiting.unsigned_abs(), end.unsigned_abs()),
            behind_ms: behind_ms.max(0).unsigned_abs(),
        }
    };
    Ok(rows.into_iter().map(lag).collect())
}
