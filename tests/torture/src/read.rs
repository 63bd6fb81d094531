//! Reads what is there when all is over.

mod record;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use praxis_tests::brokers::TOPICS;
use praxis_tests::events::{self, Published};
use praxis_tests::wait;
use serde_json::Value;
use sqlx::{Acquire as _, PgConnection};
use uuid::Uuid;

use crate::checker::{
    Booking, Delivery, Event, Facts, Profile, Receipt, Seen, Standing, models_differ,
};
use crate::history::Slot;
use crate::town::{self, Town};
use crate::world::World;

/// How long bitmap and search document may take to be what they should, once all is handled.
const MODELS_MS_MAX: u64 = 20_000;
const BOOKING_EVENTS: &str = "booking-events";

/// The stores, at one instant; then the topics and the read models.
pub async fn read(world: &World, town: &Town) -> anyhow::Result<Seen> {
    let mut connection = world.database.acquire().await?;
    let mut snapshot = connection.begin().await?;
    sqlx::raw_sql("set transaction isolation level repeatable read")
        .execute(&mut *snapshot)
        .await?;
    let mut seen = Seen {
        bookings: bookings(&mut snapshot).await?,
        history: record::history(&mut snapshot).await?,
        waits: record::waits(&mut snapshot).await?,
        places: record::places(&mut snapshot).await?,
        areas: town.areas.clone(),
        traces: traces::in_tables(&mut snapshot).await?,
        receipts: receipts(&mut snapshot).await?,
        saved: saved(&mut snapshot).await?,
        practitioners: practitioners(&mut snapshot).await?,
        profiles: profiles(&mut snapshot).await?,
        deliveries: deliveries(&mut snapshot).await?,
        offered: town.offered()?,
        mails: world.post.mails(),
        ..Seen::default()
    };
    snapshot.commit().await?;
    for topic in TOPICS {
        for event in published(world, topic).await? {
            traces::in_event(&mut seen.traces, topic, &event.data.to_string());
            seen.published.push(event_of(event)?);
        }
        let dead = published(world, &format!("{topic}.dlq")).await?;
        seen.dead_letters += dead.len();
    }
    let within = Duration::from_millis(MODELS_MS_MAX);
    let agreed = wait::until("bitmap and search agree", within, async || {
        (seen.free, seen.found) = models(world, town).await?;
        let differ = models_differ(&seen);
        ensure!(differ == 0, "{differ} differ");
        anyhow::Ok(())
    });
    let agreed = agreed.await;
    // What differs still is told by name; what could not be read at all has none.
    if seen.free.is_empty() {
        let error = agreed.err().map(|error| format!("{error:#}"));
        seen.overdue.extend(error);
    }
    Ok(seen)
}

type Models = (
    BTreeMap<Uuid, (BTreeSet<i64>, String)>,
    BTreeMap<Uuid, Option<i64>>,
);

async fn models(world: &World, town: &Town) -> anyhow::Result<Models> {
    let mut free = BTreeMap::new();
    for (number, practitioner) in town.practitioners.iter().enumerate() {
        let path = town::availability_path(practitioner);
        let base = &world.api.bases[number % world.api.bases.len()];
        let mut answered = availability(world, base, &path).await?;
        // Loaded by that.
        if answered.1 != "bitmap" {
            answered = availability(world, base, &path).await?;
        }
        free.insert(practitioner.id, answered);
    }
    let mut found = BTreeMap::new();
    for specialty in town::SPECIALTIES {
        let path = town::search_path(specialty, town.practitioners.len());
        let answer = world.api.get(&world.api.bases[0], &path, "").await?;
        for item in answer["items"].as_array().context("a search has items")? {
            let id: Uuid = text(item, "practitioner_id")?.parse()?;
            let next = item["next_available_slot"].as_str();
            found.insert(id, next.map(second).transpose()?);
        }
    }
    Ok((free, found))
}

/// The starts of the free slots, and who answered.
async fn availability(
    world: &World,
    base: &str,
    path: &str,
) -> anyhow::Result<(BTreeSet<i64>, String)> {
    let answer = world.api.client.get(format!("{base}{path}")).send().await?;
    let answer = answer.error_for_status()?;
    let source = answer.headers().get("x-praxis-source");
    let source = source.and_then(|source| source.to_str().ok());
    let source = source.unwrap_or_default().to_owned();
    let answer: Value = answer.json().await?;
    let mut starts = BTreeSet::new();
    for day in answer["days"].as_array().context("days")? {
        for slot in day["slots"].as_array().context("slots")? {
            starts.insert(second(text(slot, "slot_start")?)?);
        }
    }
    Ok((starts, source))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    subject: String,
    practitioner_id: Uuid,
    start: i64,
    status: String,
    version: i32,
    rescheduled_from: Option<Uuid>,
}

async fn bookings(connection: &mut PgConnection) -> anyhow::Result<Vec<Booking>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select b.id, p.subject, b.practitioner_id,
            extract(epoch from b.slot_start)::bigint as start, b.status, b.version,
            b.rescheduled_from
        from bookings b
        join torture_people p on p.patient_id = b.patient_id
        order by b.created_at, b.id",
    )
    .fetch_all(connection)
    .await?;
    let booking = |row: Row| Booking {
        id: row.id,
        subject: row.subject,
        slot: Slot {
            practitioner: row.practitioner_id,
            start: row.start,
        },
        status: row.status,
        version: row.version,
        rescheduled_from: row.rescheduled_from,
    };
    Ok(rows.into_iter().map(booking).collect())
}

async fn receipts(connection: &mut PgConnection) -> anyhow::Result<Vec<Receipt>> {
    let rows: Vec<(String, String, Uuid)> =
        sqlx::query_as("select subject, key, booking_id from idempotency_receipts")
            .fetch_all(connection)
            .await?;
    let receipt = |(subject, key, booking)| Receipt {
        subject,
        key,
        booking,
    };
    Ok(rows.into_iter().map(receipt).collect())
}

#[derive(sqlx::FromRow)]
struct Saved {
    event_id: Uuid,
    topic: String,
    key: String,
    kind: String,
    stream_version: i64,
    data: Value,
    traceparent: Option<String>,
}

async fn saved(connection: &mut PgConnection) -> anyhow::Result<Vec<Event>> {
    let rows: Vec<Saved> = sqlx::query_as(
        "select event_id, topic, key, kind, stream_version, data, traceparent
        from outbox
        order by id",
    )
    .fetch_all(connection)
    .await?;
    let event = |row: Saved| {
        event_of(Published {
            id: row.event_id,
            topic: row.topic,
            kind: row.kind,
            key: row.key,
            stream_version: row.stream_version.unsigned_abs(),
            traceparent: row.traceparent,
            data: row.data,
        })
    };
    rows.into_iter().map(event).collect()
}

async fn practitioners(connection: &mut PgConnection) -> anyhow::Result<Vec<Standing>> {
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "select p.id, p.version, coalesce(n.version, 0)
        from practitioners p
        left join next_slots n on n.practitioner_id = p.id",
    )
    .fetch_all(connection)
    .await?;
    let standing = |(id, version, announced): (_, i64, i64)| Standing {
        id,
        version: version.unsigned_abs(),
        announced: announced.unsigned_abs(),
    };
    Ok(rows.into_iter().map(standing).collect())
}

async fn profiles(connection: &mut PgConnection) -> anyhow::Result<Vec<Profile>> {
    let rows: Vec<(Uuid, i64, bool, Vec<i32>)> =
        sqlx::query_as("select practitioner_id, version, active, week from torture_profiles")
            .fetch_all(connection)
            .await?;
    let profile = |(practitioner, version, active, week): (_, i64, _, _)| Profile {
        practitioner,
        version: version.unsigned_abs(),
        active,
        week,
    };
    Ok(rows.into_iter().map(profile).collect())
}

async fn deliveries(connection: &mut PgConnection) -> anyhow::Result<Vec<Delivery>> {
    let rows: Vec<(String, String, String, i32, Option<String>)> =
        sqlx::query_as("select event_id, audience, status, attempts, provider_id from deliveries")
            .fetch_all(connection)
            .await?;
    let delivery = |(event, audience, status, attempts, message): (_, _, _, i32, _)| Delivery {
        event,
        audience,
        status,
        attempts: attempts.unsigned_abs(),
        message,
    };
    Ok(rows.into_iter().map(delivery).collect())
}

async fn published(world: &World, topic: &str) -> anyhow::Result<Vec<Published>> {
    match &world.brokers {
        None => Ok(events::in_postgres(&world.database, topic).await),
        Some(brokers) => {
            let (bootstrap, topic) = (brokers.bootstrap.clone(), topic.to_owned());
            let read = move || events::in_kafka(&bootstrap, &topic);
            Ok(tokio::task::spawn_blocking(read).await?)
        }
    }
}

fn event_of(event: Published) -> anyhow::Result<Event> {
    let key = event
        .key
        .parse()
        .context("the key is a practitioner's id")?;
    let facts = match event.topic == BOOKING_EVENTS {
        true => Some(facts(key, &event.data)?),
        false => None,
    };
    Ok(Event {
        id: event.id,
        topic: event.topic,
        key,
        kind: event.kind,
        version: event.stream_version,
        facts,
    })
}

fn facts(practitioner: Uuid, data: &Value) -> anyhow::Result<Facts> {
    let slot = |field| {
        let start = second(text(data, field)?)?;
        anyhow::Ok(Slot {
            practitioner,
            start,
        })
    };
    let number = |field: &str| {
        let number = data[field].as_i64();
        number.with_context(|| format!("no {field} in {data}"))
    };
    let date: Date = text(data, "local_date")?.parse()?;
    let previous = match data["rescheduled_from"].as_str() {
        Some(old) => Some((old.parse()?, slot("previous_slot_start")?)),
        None => None,
    };
    Ok(Facts {
        booking: text(data, "booking_id")?.parse()?,
        booking_version: number("booking_version")?.try_into()?,
        slot: slot("slot_start")?,
        weekday: usize::try_from(date.weekday().to_monday_zero_offset())?,
        hour: number("local_hour")?.try_into()?,
        previous,
    })
}

fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    let text = value[field].as_str();
    text.with_context(|| format!("no {field} in {value}"))
}

fn second(instant: &str) -> anyhow::Result<i64> {
    let instant: Timestamp = instant.parse()?;
    Ok(instant.as_second())
}
