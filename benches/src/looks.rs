//! Free slots through the whole application, against a bare loop that reads the same fields of the same
//! hashes out of Redis.

use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Days, Utc};
use hdrhistogram::Histogram;
use praxis_servers::{Durability, postgres, redis as server};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bookings;
use crate::client::Client;
use crate::clock;
use crate::contestant::Contestant;
use crate::figures::{Finding, Report, Row, pairwise};
use crate::load::{self, CONNECTIONS, Sample};
use crate::place::Place;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/looks.lua");
/// As many as are booked in `bookings`, each looked at once before it counts.
const PRACTITIONERS: u64 = bookings::PRACTITIONERS;
const DAYS: u64 = 14;
const LATENCY_US_MAX: u64 = 60_000_000;

pub async fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let scratch = Durability::Scratch;
    let mut database = postgres::start(&folder.path().join("postgres"), scratch).await?;
    let mut cache = server::start(&folder.path().join("redis"), scratch).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;
    bookings::fill(&database.url(), 1).await?;
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
    let now = DateTime::<Utc>::from(UNIX_EPOCH + clock::now());
    let first = now.date_naive() + Days::new(1);
    let last = first + Days::new(DAYS - 1);
    let range = [first.to_string(), last.to_string()];
    let mut client = Client::connect(host.port)?;
    for number in 0..PRACTITIONERS {
        let (id, [from, to]) = (id(number), &range);
        client.get(&format!(
            "/v1/practitioners/{id}/availability?from={from}&to={to}"
        ))?;
    }
    let redis = redis::Client::open(cache.url())?;
    let hashes = Hashes::find(&redis, &range).await?;
    let arguments: Vec<String> = [PRACTITIONERS.to_string()]
        .into_iter()
        .chain(range)
        .collect();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let looked = load::scripted(&host, seconds, SCRIPT, &arguments)?;
        let read = hashes.read(&redis, Duration::from_secs(seconds.into()));
        let read = read.await?;
        if round > 0 {
            ours.push(looked);
            bare.push(read);
        }
    }
    drop(host);
    cache.stop().await?;
    database.stop().await?;
    let row = |name: &str, samples: &[Sample]| {
        Row::new(
            name,
            samples,
            &[|s| s.per_second, |s| s.p50_us, |s| s.p99_us],
        )
    };
    Ok(vec![Report {
        title: format!("Free slots of {DAYS} days, {CONNECTIONS} connections"),
        columns: vec!["looks/s", "p50 µs", "p99 µs"],
        rows: vec![row("praxis", &ours), row("HMGET in a loop", &bare)],
        findings: vec![
            Finding::new(
                "looks/s, praxis : HMGET in a loop",
                pairwise(&ours, &bare, |a, b| a.per_second / b.per_second),
                None,
            ),
            Finding::new(
                "CPU of the host per look, µs",
                ours.iter().map(|sample| sample.processor_us).collect(),
                None,
            ),
        ],
    }])
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(number.into())
}

/// The keys that the component has filled, and the fields that it reads of each.
struct Hashes {
    keys: Vec<String>,
    fields: Vec<String>,
}

impl Hashes {
    async fn find(redis: &redis::Client, [first, last]: &[String; 2]) -> anyhow::Result<Self> {
        let mut connection = redis.get_multiplexed_async_connection().await?;
        let all: Vec<String> = connection.keys("*").await?;
        let last_id = id(PRACTITIONERS - 1).to_string();
        let is_of_last = |key: &&String| key.contains(&last_id) && key.ends_with(":days");
        let pattern = all.iter().find(is_of_last);
        let pattern = pattern.context("the host has filled nothing")?;
        let keys: Vec<_> = (0..PRACTITIONERS)
            .map(|number| pattern.replace(&last_id, &id(number).to_string()))
            .collect();
        let fields: Vec<String> = connection.hkeys(&keys[0]).await?;
        let is_read = |field: &String| {
            // A date, or what is said of all of them.
            !field.starts_with(|first: char| first.is_ascii_digit())
                || (first..=last).contains(&field)
        };
        let fields: Vec<_> = fields.into_iter().filter(is_read).collect();
        ensure!(fields.len() as u64 >= DAYS, "only {fields:?} are there");
        Ok(Self { keys, fields })
    }

    /// As many connections as `wrk` has, each with one command under way.
    async fn read(&self, redis: &redis::Client, time: Duration) -> anyhow::Result<Sample> {
        let mut readers = JoinSet::new();
        let begun = Instant::now();
        for reader in 0..CONNECTIONS as usize {
            let connection = redis.get_multiplexed_async_connection().await?;
            let (keys, fields) = (self.keys.clone(), self.fields.clone());
            readers.spawn(read(connection, keys, fields, reader, begun + time));
        }
        let mut took = Histogram::<u64>::new_with_max(LATENCY_US_MAX, 3)?;
        while let Some(read) = readers.join_next().await {
            took.add(read??)?;
        }
        Ok(Sample {
            requests: took.len(),
            per_second: took.len() as f64 / begun.elapsed().as_secs_f64(),
            p50_us: took.value_at_quantile(0.5) as f64,
            p99_us: took.value_at_quantile(0.99) as f64,
            // This program's own.
            processor_us: 0.0,
        })
    }
}

async fn read(
    mut connection: MultiplexedConnection,
    keys: Vec<String>,
    fields: Vec<String>,
    first: usize,
    until: Instant,
) -> anyhow::Result<Histogram<u64>> {
    let mut took = Histogram::<u64>::new_with_max(LATENCY_US_MAX, 3)?;
    for key in keys.iter().cycle().skip(first) {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let mut command = redis::cmd("HMGET");
        let values: Vec<Option<String>> = command
            .arg(key)
            .arg(&fields)
            .query_async(&mut connection)
            .await?;
        ensure!(values.iter().all(Option::is_some), "{key} is not whole");
        let us = u64::try_from(begun.elapsed().as_micros())?;
        took.record(us.clamp(1, LATENCY_US_MAX))?;
    }
    Ok(took)
}
