//! The event log in PostgreSQL, written without a host.

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection};

use super::{KEYS, PARTITIONS, cluster};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Makes a topic that holds so many events.
pub async fn fill(database_url: &str, topic: &str, events: u64) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(database_url).await?;
    let partitions = i32::try_from(PARTITIONS)?;
    sqlx::query("insert into event_topics (topic, partitions, retention_ms) values ($1, $2, $3)")
        .bind(topic)
        .bind(partitions)
        .bind(24 * HOUR_MS)
        .execute(&mut connection)
        .await?;
    sqlx::query(
        r#"insert into event_log (topic, partition, "offset", key, headers, data)
        select
            $1,
            n % $2,
            n / $2,
            'key-' || n % $3,
            $4::jsonb || jsonb_build_object(
                'ce_id', gen_random_uuid(),
                'ce_streamversion', (n / $3)::text
            ),
            convert_to(
                jsonb_build_object('schema', 1, 'number', n, 'note', repeat('it was dark, ', 12))::text,
                'UTF8'
            )
        from generate_series(0, $5 - 1) n"#,
    )
    .bind(topic)
    .bind(i64::from(partitions))
    .bind(i64::try_from(KEYS)?)
    .bind(serde_json::to_value(cluster::headers(0))?)
    .bind(i64::try_from(events)?)
    .execute(&mut connection)
    .await
    .context("could not fill the event log")?;
    sqlx::query(
        r#"insert into event_partitions (topic, partition, next_offset)
        select $1, p, (select count(*) from event_log l where l.topic = $1 and l.partition = p)
        from generate_series(0, $2 - 1) p"#,
    )
    .bind(topic)
    .bind(partitions)
    .execute(&mut connection)
    .await?;
    sqlx::raw_sql("vacuum analyze event_log")
        .execute(&mut connection)
        .await?;
    Ok(())
}
