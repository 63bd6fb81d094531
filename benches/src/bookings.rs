//! Bookings through the whole application, against its booking statement alone; and how long it
//! takes until thousands who want one slot have their answers.

mod pgbench;
mod race;

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use praxis_servers::{Durability, postgres, redis};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::clock;
use crate::contestant::Contestant;
use crate::figures::{Finding, Goal, Report, Row, pairwise};
use crate::load::{self, CONNECTIONS, Sample};
use crate::place::Place;

const AT_LEAST: f64 = 0.5;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bookings.lua");
/// Open around the clock. Many, so that two bookings seldom wait for one practitioner.
const PRACTITIONERS: u64 = 5_000;
/// They take turns.
const PATIENTS: u64 = 64;
/// So far apart do two rounds begin that neither wants what the other has booked.
const BOOKINGS_PER_ROUND_MAX: u64 = 200_000;
const SECONDS_PER_DAY: u64 = 86_400;
const SECONDS_PER_HOUR: u64 = 3_600;
/// In UTC, from midnight: nothing begins while it is measured.
const FIRST_DAY: u64 = 2;

const DIRECTORY: &str = "
insert into tenants (id, name) values ('bench', 'Bench');
insert into zone_offsets (time_zone, begins, ends, utc_offset_seconds, first_from)
values ('UTC', '2000-01-01Z', '2100-01-01Z', 0, '2000-01-01Z');
insert into practitioners (id, tenant_id, name, specialty, country, lat, lon, time_zone, week)
select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench', 'Bench ' || n,
    'dentistry', 'DE', 52.5, 13.4, 'UTC', array_fill(16777215, array[7])
from generate_series(0, {practitioners} - 1) n;
insert into patients (id, subject, name, email, locale)
select ('00000000-0000-0000-0001-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench-' || n, 'Bench ' || n,
    'bench-' || n || '@example.org', 'en'
from generate_series(0, {patients} - 1) n;
analyze practitioners, patients;
";

/// Which slots nobody has booked yet.
struct Calendar {
    /// Seconds since 1970.
    first: u64,
    next: u64,
}

pub async fn measure(
    place: &Place,
    rounds: usize,
    seconds: u32,
    clients: u64,
) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let scratch = Durability::Scratch;
    let mut database = postgres::start(&folder.path().join("postgres"), scratch).await?;
    let mut cache = redis::start(&folder.path().join("redis"), scratch).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;
    let url = database.url();
    fill(&url, clients.max(PATIENTS)).await?;
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
    let mut calendar = Calendar::from_now();
    let through = throughput(folder.path(), &host, &url, &mut calendar, rounds, seconds).await?;
    let race = race::measure(&host, &mut calendar, clients, rounds).await?;
    drop(host);
    cache.stop().await?;
    database.stop().await?;
    Ok(vec![through, race])
}

async fn throughput(
    folder: &Path,
    host: &Contestant,
    url: &str,
    calendar: &mut Calendar,
    rounds: usize,
    seconds: u32,
) -> anyhow::Result<Report> {
    let tokens = race::tokens(host, PATIENTS).await?;
    let statement = pgbench::Script::write(folder, calendar.first)?;
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let booked = load::scripted(host, seconds, SCRIPT, &calendar.arguments(&tokens))?;
        let executed = statement.run(url, seconds, calendar.round())?;
        if round > 0 {
            ours.push(booked);
            alone.push(executed);
        }
    }
    Ok(Report {
        title: format!("Bookings, {CONNECTIONS} clients, PostgreSQL without fsync"),
        columns: vec!["bookings/s", "p50 µs", "p99 µs"],
        rows: vec![
            timed("praxis", &ours),
            timed("pgbench, the statement", &alone),
        ],
        findings: vec![
            Finding::new(
                "bookings/s, praxis : pgbench",
                pairwise(&ours, &alone, |a, b| a.per_second / b.per_second),
                Some(Goal::AtLeast(AT_LEAST)),
            ),
            Finding::new(
                "p99, praxis - pgbench, µs",
                pairwise(&ours, &alone, |a, b| a.p99_us - b.p99_us),
                None,
            ),
        ],
    })
}

fn timed(name: &str, samples: &[Sample]) -> Row {
    Row::new(
        name,
        samples,
        &[|s| s.per_second, |s| s.p50_us, |s| s.p99_us],
    )
}

async fn fill(url: &str, patients: u64) -> anyhow::Result<()> {
    let directory = DIRECTORY
        .replace("{practitioners}", &PRACTITIONERS.to_string())
        .replace("{patients}", &patients.to_string());
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(directory))
        .execute(&mut connection)
        .await
        .context("could not fill the directory")?;
    Ok(())
}

impl Calendar {
    fn from_now() -> Self {
        let today = clock::now().as_secs() / SECONDS_PER_DAY;
        Self {
            first: (today + FIRST_DAY) * SECONDS_PER_DAY,
            next: 0,
        }
    }

    /// The number from which a round books.
    fn round(&mut self) -> u64 {
        let base = self.next;
        self.next += BOOKINGS_PER_ROUND_MAX;
        base
    }

    /// What `bookings.lua` asks for.
    fn arguments(&mut self, tokens: &[String]) -> Vec<String> {
        let numbers = [self.round(), PRACTITIONERS, self.first];
        let numbers = numbers.iter().map(u64::to_string);
        numbers.chain(tokens.iter().cloned()).collect()
    }

    /// One slot that nobody has, as a request's body.
    fn slot(&mut self) -> Value {
        let number = self.next;
        self.next += 1;
        let start = self.first + SECONDS_PER_HOUR * (number / PRACTITIONERS);
        let start = DateTime::<Utc>::from(UNIX_EPOCH + Duration::from_secs(start));
        json!({
            "practitioner_id": Uuid::from_u128(u128::from(number % PRACTITIONERS)),
            "slot_start": start.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }
}
