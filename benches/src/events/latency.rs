//! From a commit to the handler: outbox, relay, broker, host. Handlers print when they were called;
//! the clock is the machine's.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use super::{Adapter, Application, Bench, KEYS};
use crate::clock;
use crate::contestant::Contestant;
use crate::figures::{Report, Row};

const TOPIC: &str = "timed";
const GROUP_KAFKA: &str = "timed-kafka";
const GROUP_POSTGRES: &str = "timed-postgres";

const PER_SECOND: u64 = 500;
const SECONDS: u64 = 20;
const EVENTS: u64 = PER_SECOND * SECONDS;
/// Transactions at one time.
const CONNECTIONS_MAX: u32 = 8;
const ARRIVE_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

const COLUMNS: [&str; 3] = ["p50 ms", "p99 ms", "longest ms"];

/// Times since the Unix epoch by stream version; 0 is the event that shows that all are there.
type Times = HashMap<u64, Duration>;

pub async fn measure(bench: &Bench<'_>) -> anyhow::Result<Report> {
    bench.cluster.create(TOPIC)?;
    let brokers = bench.cluster.bootstrap();
    let arguments = [
        ["--brokers", &brokers],
        ["--topic", TOPIC],
        ["--group", "timed-bare"],
    ];
    let mut arguments = arguments.as_flattened().to_vec();
    arguments.push("--timed");
    let contestants = [
        host(bench, Adapter::Kafka)?,
        Contestant::bare("beside it", bench.folder, &arguments)?,
    ];
    let [kafka, bare] = &one(bench, &contestants.each_ref()).await?[..] else {
        anyhow::bail!("two contestants, and not two results");
    };
    let mut rows = vec![row("Kafka", kafka), row("Kafka, without a host", bare)];
    drop(contestants);
    let host = host(bench, Adapter::Postgres)?;
    for latencies in one(bench, &[&host]).await? {
        rows.push(row("PostgreSQL", &latencies));
    }
    Ok(Report {
        title: format!("From commit to handler, {PER_SECOND} events/s for {SECONDS} s"),
        columns: COLUMNS.into(),
        rows,
        findings: Vec::new(),
    })
}

fn host(bench: &Bench<'_>, adapter: Adapter) -> anyhow::Result<Contestant> {
    let (name, group) = match adapter {
        Adapter::Kafka => ("timed on Kafka", GROUP_KAFKA),
        Adapter::Postgres => ("timed on PostgreSQL", GROUP_POSTGRES),
    };
    bench.start(Application {
        name,
        adapter,
        with_database: true,
        topic: TOPIC,
        group,
        component: "noop",
        instances: "fresh",
        log: "off,praxis_host::runtime::console=info",
    })
}

/// The latencies that each of the contestants saw, shortest first.
async fn one(bench: &Bench<'_>, contestants: &[&Contestant]) -> anyhow::Result<Vec<Vec<Duration>>> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .connect(&bench.database_url)
        .await?;
    let first = commit(&pool, 0).await?;
    for contestant in contestants {
        arrived(&contestant.log, 1)?;
    }
    let mut committed = Times::from([first]);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PER_SECOND)?);
    let mut transactions = JoinSet::new();
    for n in 1..=EVENTS {
        ticks.tick().await;
        let pool = pool.clone();
        transactions.spawn(async move { commit(&pool, n).await });
    }
    while let Some(done) = transactions.join_next().await {
        committed.extend([done??]);
    }
    pool.close().await;
    let mut all = Vec::new();
    for contestant in contestants {
        let called = arrived(&contestant.log, committed.len())?;
        let counted = called.iter().filter(|(n, _)| **n > 0);
        let latencies = counted.map(|(n, called)| called.saturating_sub(committed[n]));
        let mut latencies: Vec<_> = latencies.collect();
        latencies.sort();
        all.push(latencies);
    }
    Ok(all)
}

/// Saves an event; answers when its commit was sent.
async fn commit(pool: &PgPool, n: u64) -> anyhow::Result<(u64, Duration)> {
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "insert into outbox (topic, key, kind, stream_version, data)
        values ($1, $2, 'Timed', $3, '{\"schema\": 1}')",
    )
    .bind(TOPIC)
    .bind(format!("key-{}", n % KEYS))
    .bind(i64::try_from(n)?)
    .execute(&mut *transaction)
    .await?;
    let sent = clock::now();
    transaction.commit().await?;
    Ok((n, sent))
}

/// Waits until a contestant has printed of so many events when it was called. The first time
/// counts: what comes again is a redelivery.
fn arrived(log: &Path, count: usize) -> anyhow::Result<Times> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log)?;
        let mut times = Times::new();
        // The last line may not be whole yet.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            if let Some((_, fields)) = line.split_once("timed ") {
                let (n, at) = parse(fields).with_context(|| format!("odd: {line}"))?;
                times.entry(n).or_insert(at);
            }
        }
        if times.len() >= count {
            return Ok(times);
        }
        ensure!(
            begun.elapsed() < ARRIVE_TIMEOUT,
            "{} of {count} events arrived: {}",
            times.len(),
            log.display()
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The host's log goes on behind the two numbers.
fn parse(fields: &str) -> Option<(u64, Duration)> {
    let mut fields = fields.split_whitespace();
    let n = fields.next()?.parse().ok()?;
    let (seconds, nanoseconds) = fields.next()?.split_once('.')?;
    let at = Duration::new(seconds.parse().ok()?, nanoseconds.parse().ok()?);
    Some((n, at))
}

fn row(name: &str, sorted: &[Duration]) -> Row {
    let percentile = |percent: usize| {
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted[at].as_secs_f64() * 1e3
    };
    Row {
        name: name.to_owned(),
        medians: [50, 99, 100].map(percentile).to_vec(),
    }
}
