//! What the run keeps in PostgreSQL: the outbox that it writes to, and what the guest leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::checker::{Effect, Total};
use crate::manifest::TOPIC;
use crate::plan::Planned;

const CONNECTIONS_MAX: u32 = 4;
const ACQUIRE_MS_MAX: u64 = 3_000;
const KIND: &str = "DeedDone";

/// The guest's tables, made anew.
const TABLES: &str = "
    drop table if exists effects, totals, mishaps;

    create table effects (
        serial     bigint generated always as identity,
        event_id   uuid   not null,
        copy       int    not null,
        key        text   not null,
        sequence   bigint not null,
        attempt    int    not null,
        deliveries bigint not null default 1,
        primary key (event_id, copy)
    );

    create table totals (
        key     text   primary key,
        digest  bigint not null,
        applied bigint not null
    );

    create table mishaps (
        event_id uuid not null,
        attempt  int  not null,
        step     text not null
    );";

#[derive(Clone)]
pub struct Database {
    pub pool: PgPool,
}

impl Database {
    /// With the tables, empty.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX))
            .connect(url)
            .await
            .with_context(|| format!("could not connect to {url}"))?;
        let made = sqlx::raw_sql(TABLES).execute(&pool).await;
        made.context("could not make the tables of the run")?;
        Ok(Self { pool })
    }

    /// Saves events in the outbox, as a component does; the hosts publish them. Saved again, they
    /// are there once.
    pub async fn publish(&self, events: &[Planned]) -> sqlx::Result<()> {
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let keys: Vec<_> = events.iter().map(|event| event.key.clone()).collect();
        let sequences: Vec<_> = events
            .iter()
            .map(|event| event.sequence.cast_signed())
            .collect();
        let payloads: Vec<_> = events.iter().map(Planned::payload).collect();
        sqlx::query(
            "insert into outbox (event_id, topic, key, kind, stream_version, data)
            select id, $5, key, $6, sequence, payload
            from unnest($1::uuid[], $2::text[], $3::bigint[], $4::jsonb[]) with ordinality
                as event (id, key, sequence, payload, place)
            order by place
            on conflict (event_id) do nothing",
        )
        .bind(ids)
        .bind(keys)
        .bind(sequences)
        .bind(payloads)
        .bind(TOPIC)
        .bind(KIND)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many events had an effect.
    pub async fn handled(&self) -> sqlx::Result<u64> {
        let handled: i64 = sqlx::query_scalar("select count(*) from effects")
            .fetch_one(&self.pool)
            .await?;
        Ok(handled.unsigned_abs())
    }

    pub async fn unpublished(&self) -> sqlx::Result<u64> {
        let unpublished: i64 =
            sqlx::query_scalar("select count(*) from outbox where published_at is null")
                .fetch_one(&self.pool)
                .await?;
        Ok(unpublished.unsigned_abs())
    }

    /// In the order in which they were had.
    pub async fn effects(&self) -> sqlx::Result<Vec<Effect>> {
        let rows: Vec<(Uuid, i32, String, i64, i64)> = sqlx::query_as(
            "select event_id, copy, key, sequence, deliveries
            from effects
            order by serial",
        )
        .fetch_all(&self.pool)
        .await?;
        let effect = |(id, copy, key, sequence, deliveries): (_, _, _, i64, i64)| Effect {
            id,
            copy,
            key,
            sequence: sequence.unsigned_abs(),
            deliveries: deliveries.unsigned_abs(),
        };
        Ok(rows.into_iter().map(effect).collect())
    }

    pub async fn totals(&self) -> sqlx::Result<BTreeMap<String, Total>> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("select key, digest, applied from totals")
                .fetch_all(&self.pool)
                .await?;
        let totals = rows.into_iter();
        Ok(totals
            .map(|(key, digest, applied)| (key, Total { digest, applied }))
            .collect())
    }

    /// What the handlers did instead of what they should, and how often.
    pub async fn mishaps(&self) -> sqlx::Result<BTreeMap<String, u64>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select step, count(*) from mishaps group by step")
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|(step, times)| (step, times.unsigned_abs()))
            .collect())
    }
}
