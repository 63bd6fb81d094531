//! What the run keeps in PostgreSQL: the outbox that it writes to, and what the guests leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::checker::{Effect, Redelivery, Total};
use crate::manifest::{Component, TOPIC};
use crate::operations::OpenLetter;
use crate::plan::Planned;

const CONNECTIONS_MAX: u32 = 4;
const ACQUIRE_MS_MAX: u64 = 3_000;
const KIND: &str = "DeedDone";

/// The guests' tables.
const TABLES: &str = r#"
    create table beginning (at timestamptz not null);

    create table effects (
        serial     bigint generated always as identity,
        component  text   not null,
        event_id   uuid   not null,
        copy       int    not null,
        key        text   not null,
        sequence   bigint not null,
        partition  bigint not null,
        "offset"   bigint not null,
        attempt    int    not null,
        late       bool   not null,
        at         timestamptz not null default clock_timestamp(),
        primary key (component, event_id, copy)
    );

    -- An event that had its effect, delivered again: not the next try of one that failed.
    create table redeliveries (
        component text not null,
        event_id  uuid not null,
        at        timestamptz not null default clock_timestamp()
    );

    create table totals (
        component text   not null,
        key       text   not null,
        digest    bigint not null,
        applied   bigint not null,
        primary key (component, key)
    );

    create table mishaps (
        component text not null,
        event_id  uuid not null,
        attempt   int  not null,
        step      text not null
    );

    -- Rejected events that are accepted once they are redriven: at a later offset.
    create table pardons (
        component text   not null,
        event_id  uuid   not null,
        "offset"  bigint not null,
        primary key (component, event_id)
    );

    create index on redeliveries (component);

    -- Records facts in their order. The total follows that order, as the checker's model does.
    create function record_effects(name text, facts jsonb) returns int
    language plpgsql as $$
    declare
        fact   record;
        before int;
    begin
        for fact in
            select value.*
            from jsonb_array_elements(facts) with ordinality as item (fact, place),
                jsonb_to_record(item.fact) as value (
                    id uuid, copy int, key text, sequence bigint, partition bigint,
                    "offset" bigint, attempt int, late bool)
            order by place
        loop
            insert into effects (
                component, event_id, copy, key, sequence, partition, "offset", attempt, late)
            values (
                name, fact.id, fact.copy, fact.key, fact.sequence, fact.partition,
                fact."offset", fact.attempt, fact.late)
            on conflict do nothing;
            if found then
                if not fact.late then
                    insert into totals (component, key, digest, applied)
                    values (name, fact.key, fact.sequence % 1000000007, 1)
                    on conflict (component, key) do update
                    set
                        digest = (totals.digest * 31 + excluded.digest) % 1000000007,
                        applied = totals.applied + 1;
                end if;
            else
                select attempt into before
                from effects
                where component = name and event_id = fact.id and copy = fact.copy
                for update;
                update effects
                set attempt = fact.attempt
                where component = name and event_id = fact.id and copy = fact.copy;
                if fact.attempt <= before then
                    insert into redeliveries (component, event_id)
                    values (name, fact.id);
                end if;
            end if;
        end loop;
        return 0;
    end
    $$;"#;

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

    /// From now on time is counted.
    pub async fn begin(&self) -> sqlx::Result<()> {
        sqlx::query("insert into beginning values (clock_timestamp())")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What a clock showed, in ms since the run began.
    pub async fn times(&self, shown: Vec<String>) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "select (extract(epoch from shown::timestamptz - beginning.at) * 1000)::bigint
            from beginning, unnest($1::text[]) with ordinality as time (shown, place)
            order by place",
        )
        .bind(shown)
        .fetch_all(&self.pool)
        .await
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

    /// Has these events accepted once they are redriven.
    pub async fn pardon(&self, letters: &[OpenLetter]) -> sqlx::Result<()> {
        let components: Vec<_> = letters
            .iter()
            .map(|letter| letter.component.clone())
            .collect();
        let ids: Vec<_> = letters.iter().map(|letter| letter.event_id).collect();
        let offsets: Vec<_> = letters
            .iter()
            .map(|letter| letter.offset.cast_signed())
            .collect();
        sqlx::query(
            r#"insert into pardons (component, event_id, "offset")
            select component, id, "offset"
            from unnest($1::text[], $2::uuid[], $3::bigint[]) as letter (component, id, "offset")
            on conflict (component, event_id) do nothing"#,
        )
        .bind(components)
        .bind(ids)
        .bind(offsets)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many events had an effect by every component.
    pub async fn handled(&self) -> sqlx::Result<u64> {
        let mut least = u64::MAX;
        for component in Component::ALL {
            let handled: i64 =
                sqlx::query_scalar("select count(*) from effects where component = $1")
                    .bind(component.name())
                    .fetch_one(&self.pool)
                    .await?;
            least = least.min(handled.unsigned_abs());
        }
        Ok(least)
    }

    pub async fn unpublished(&self) -> sqlx::Result<u64> {
        let unpublished: i64 =
            sqlx::query_scalar("select count(*) from outbox where published_at is null")
                .fetch_one(&self.pool)
                .await?;
        Ok(unpublished.unsigned_abs())
    }

    /// In the order in which they were had.
    pub async fn effects(&self, component: Component) -> sqlx::Result<Vec<Effect>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            event_id: Uuid,
            copy: i32,
            key: String,
            sequence: i64,
            partition: i64,
            offset: i64,
            late: bool,
            at_ms: i64,
        }
        let rows: Vec<Row> = sqlx::query_as(
            r#"select event_id, copy, key, sequence, partition, "offset", late,
                (extract(epoch from effects.at - beginning.at) * 1000)::bigint as at_ms
            from effects, beginning
            where component = $1
            order by serial"#,
        )
        .bind(component.name())
        .fetch_all(&self.pool)
        .await?;
        let effect = |row: Row| Effect {
            id: row.event_id,
            copy: row.copy,
            key: row.key,
            sequence: row.sequence.unsigned_abs(),
            partition: u32::try_from(row.partition).unwrap_or(u32::MAX),
            offset: row.offset.unsigned_abs(),
            late: row.late,
            at_ms: u64::try_from(row.at_ms).unwrap_or(0),
        };
        Ok(rows.into_iter().map(effect).collect())
    }

    /// In the order in which they were noticed.
    pub async fn redeliveries(&self, component: Component) -> sqlx::Result<Vec<Redelivery>> {
        let rows: Vec<(Uuid, i64)> = sqlx::query_as(
            "select event_id,
                (extract(epoch from redeliveries.at - beginning.at) * 1000)::bigint
            from redeliveries, beginning
            where component = $1
            order by redeliveries.at",
        )
        .bind(component.name())
        .fetch_all(&self.pool)
        .await?;
        let redelivery = |(id, at_ms)| Redelivery {
            id,
            at_ms: u64::try_from(at_ms).unwrap_or(0),
        };
        Ok(rows.into_iter().map(redelivery).collect())
    }

    pub async fn totals(&self, component: Component) -> sqlx::Result<BTreeMap<String, Total>> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("select key, digest, applied from totals where component = $1")
                .bind(component.name())
                .fetch_all(&self.pool)
                .await?;
        let totals = rows.into_iter();
        Ok(totals
            .map(|(key, digest, applied)| (key, Total { digest, applied }))
            .collect())
    }

    pub async fn pardons(&self, component: Component) -> sqlx::Result<BTreeSet<Uuid>> {
        let pardons: Vec<Uuid> =
            sqlx::query_scalar("select event_id from pardons where component = $1")
                .bind(component.name())
                .fetch_all(&self.pool)
                .await?;
        Ok(pardons.into_iter().collect())
    }

    /// What the handlers did instead of what they should, and how often.
    pub async fn mishaps(&self, component: Component) -> sqlx::Result<BTreeMap<String, u64>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select step, count(*) from mishaps where component = $1 group by step")
                .bind(component.name())
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|(step, times)| (step, times.unsigned_abs()))
            .collect())
    }
}
