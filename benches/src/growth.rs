//! How search, availability and booking grow with the directory: the same load on directories of
//! several sizes, as a table and a plot.

mod page;
mod plot;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use praxis_servers::{Durability, postgres, redis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::contestant::Contestant;
use crate::figures;
use crate::place::Place;

/// Searches of one client, one after the other.
const SEARCHES: u64 = 2_000;
const RADIUS_KM: u32 = 25;
const HITS: u32 = 20;
const LATENCY_US_MAX: u64 = 60_000_000;
const LEVEL_WITHIN: Duration = Duration::from_secs(2 * 3_600);
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Real facilities, as `praxis demo-directory` takes them (CSV).
    #[arg(long)]
    facilities: PathBuf,
    /// How many practitioners, one directory after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// The shares of a country's peak that each is put under.
    #[arg(long, value_delimiter = ',', default_values_t = [0.25, 0.5])]
    shares: Vec<f64>,
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// How often each share: the medians are told, and all failures.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Directories of up to so many are audited in the end: it takes milliseconds a practitioner.
    #[arg(long, default_value_t = 100_000)]
    audited_max: u64,
    /// The page whose table is replaced. The plot and the figures lie beside it; what was measured of
    /// other sizes before stays.
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
}

/// One directory.
#[derive(Debug, Serialize, Deserialize)]
pub struct Grown {
    pub practitioners: u64,
    /// Until all were stored.
    pub import_seconds: f64,
    /// Until all could be found and no consumer had anything left to do.
    pub level_seconds: f64,
    pub alone: Quantiles,
    /// Of the host, before the mixed loads and after them.
    #[serde(default)]
    pub resident_before_mib: u64,
    pub mixed: Vec<Mixed>,
    pub resident_mib: u64,
    pub audit: Option<Audit>,
}

impl Grown {
    /// What came of that share of the peak, if this directory was put under it.
    fn under(&self, share: f64) -> Option<&Mixed> {
        let mut mixed = self.mixed.iter();
        mixed.find(|mixed| mixed.share.total_cmp(&share).is_eq())
    }
}

impl Mixed {
    /// The medians of several, and all their failures.
    fn of(rounds: &[Self]) -> Option<Self> {
        let first = rounds.first()?;
        let kinds = first.kinds.iter().map(|Kind { name, .. }| {
            let each: Vec<_> = rounds.iter().filter_map(|round| round.kind(name)).collect();
            Kind::of(&each)
        });
        Some(Self {
            share: first.share,
            seconds: first.seconds,
            rounds: rounds.len(),
            level_seconds: median(rounds.iter().map(|round| round.level_seconds)),
            kinds: kinds.collect::<Option<_>>()?,
        })
    }

    fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

impl Kind {
    fn of(rounds: &[&Self]) -> Option<Self> {
        let first = rounds.first()?;
        let mut failures = BTreeMap::new();
        for (why, count) in rounds.iter().flat_map(|round| &round.failures) {
            *failures.entry(why.clone()).or_default() += count;
        }
        Some(Self {
            name: first.name.clone(),
            failures,
            p50_ms: median(rounds.iter().map(|round| round.p50_ms)),
            p99_ms: median(rounds.iter().map(|round| round.p99_ms)),
            goal_p99_ms: first.goal_p99_ms,
        })
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    figures::median(&values)
}

/// The shares of the peak that any of them was put under, the smallest first.
fn shares(grown: &[Grown]) -> Vec<f64> {
    let mixed = grown.iter().flat_map(|one| &one.mixed);
    let mut shares: Vec<_> = mixed.map(|mixed| mixed.share).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    shares
}

/// What `praxis audit` says of bitmap, next slots and search after the last load.
#[derive(Debug, Serialize, Deserialize)]
pub struct Audit {
    pub seconds: f64,
    pub found: String,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
}

/// What `praxis bench --json` writes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mixed {
    pub share: f64,
    pub seconds: u32,
    /// That these are the medians of.
    #[serde(default = "once")]
    pub rounds: usize,
    pub level_seconds: f64,
    pub kinds: Vec<Kind>,
}

fn once() -> usize {
    1
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Kind {
    pub name: String,
    pub failures: BTreeMap<String, u64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub goal_p99_ms: Option<u32>,
}

#[derive(Deserialize)]
struct Line {
    specialty: String,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    lat: f64,
    lon: f64,
}

pub async fn measure(arguments: &Arguments, place: &Place) -> anyhow::Result<()> {
    ensure!(
        !arguments.sizes.is_empty() && !arguments.shares.is_empty() && arguments.rounds > 0,
        "--sizes and --shares need one value each at least, --rounds one"
    );
    // An error means that it is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let figures = arguments.page.with_extension("json");
    let mut grown = before(&figures)?;
    for size in &arguments.sizes {
        let one = grow(arguments, place, *size).await;
        let one = one.with_context(|| format!("could not measure {size} practitioners"))?;
        grown.retain(|other| other.practitioners != *size);
        grown.push(one);
        grown.sort_by_key(|one| one.practitioners);
        std::fs::write(&figures, serde_json::to_vec_pretty(&grown)?)?;
        // Each as soon as it is there: the next may take an hour.
        let table = page::table(&grown);
        print!("{table}");
        page::write(&arguments.page, &table)?;
        plot::draw(&grown, &arguments.page.with_extension("svg"))?;
    }
    Ok(())
}

/// What was measured before, if anything was.
fn before(figures: &Path) -> anyhow::Result<Vec<Grown>> {
    match std::fs::read(figures) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is of another shape", figures.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("could not read {}", figures.display())),
    }
}

async fn grow(arguments: &Arguments, place: &Place, size: u64) -> anyhow::Result<Grown> {
    let folder = tempfile::tempdir()?;
    let directory = folder.path().join("directory.ndjson");
    run(Command::new(&place.host)
        .arg("demo-directory")
        .arg(&arguments.facilities)
        .args(["--practitioners", &size.to_string()])
        .arg("--out")
        .arg(&directory))?;
    let durable = Durability::Durable;
    let mut database = postgres::start(&folder.path().join("postgres"), durable).await?;
    let mut cache = redis::start(&folder.path().join("redis"), durable).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
    let url = format!("http://127.0.0.1:{}", host.port);
    let token = operator(&url).await?;
    let begun = Instant::now();
    run(Command::new(&place.host)
        .args(["import", "--url", &url, "--token", &token])
        .arg(&directory))?;
    let import_seconds = begun.elapsed().as_secs_f64();
    until_level(&url, &token).await?;
    let level_seconds = begun.elapsed().as_secs_f64();
    let alone = search(host.port, &directory)?;
    let resident_before_mib = resident_mib(&host)?;
    let mut mixed = Vec::new();
    for share in &arguments.shares {
        let rounds = (0..arguments.rounds).map(|seed| {
            load(
                arguments,
                place,
                &url,
                &directory,
                folder.path(),
                (*share, seed),
            )
        });
        let rounds: Vec<_> = rounds.collect::<anyhow::Result<_>>()?;
        mixed.extend(Mixed::of(&rounds));
    }
    let resident_mib = resident_mib(&host)?;
    let audit = (size <= arguments.audited_max).then(|| audit(place, &url, &token));
    let audit = audit.transpose()?;
    drop(host);
    cache.stop().await?;
    database.stop().await?;
    Ok(Grown {
        practitioners: size,
        import_seconds,
        level_seconds,
        alone,
        resident_before_mib,
        mixed,
        resident_mib,
        audit,
    })
}

/// How long one client waits for what people look for where practitioners are.
fn search(port: u16, directory: &Path) -> anyhow::Result<Quantiles> {
    let file = File::open(directory)?;
    let every = BufReader::new(&file).lines().count() as u64 / SEARCHES;
    let step = usize::try_from(every.max(1))?;
    let lines = BufReader::new(File::open(directory)?).lines().step_by(step);
    let mut client = Client::connect(port)?;
    let mut latencies = Histogram::<u64>::new_with_max(LATENCY_US_MAX, 3)?;
    for line in lines {
        let Line {
            specialty,
            location: Location { lat, lon },
        } = serde_json::from_str(&line?)?;
        let took = client.get(&format!(
            "/v1/practitioners/search?lat={lat}&lon={lon}&radius_km={RADIUS_KM}&specialty={specialty}&limit={HITS}"
        ))?;
        latencies.record(u64::try_from(took.as_micros())?.clamp(1, LATENCY_US_MAX))?;
    }
    let ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Quantiles {
        p50: ms(0.5),
        p99: ms(0.99),
    })
}

fn resident_mib(host: &Contestant) -> anyhow::Result<u64> {
    Ok(host.memory()?.resident >> 20)
}

/// All kinds of requests at one time.
fn load(
    arguments: &Arguments,
    place: &Place,
    url: &str,
    directory: &Path,
    folder: &Path,
    (share, seed): (f64, u32),
) -> anyhow::Result<Mixed> {
    let json = folder.join("bench.json");
    let status = Command::new(&place.host)
        .args(["bench", "--url", url, "--share", &share.to_string()])
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(["--seed", &seed.to_string()])
        .arg("--directory")
        .arg(directory)
        .arg("--json")
        .arg(&json)
        .status()
        .context("could not run praxis bench")?;
    // It fails too if a request did: what it wrote says which.
    let file = File::open(&json).with_context(|| format!("praxis bench: {status}"))?;
    Ok(serde_json::from_reader(BufReader::new(file))?)
}

fn audit(place: &Place, url: &str, token: &str) -> anyhow::Result<Audit> {
    let begun = Instant::now();
    let audit = Command::new(&place.host)
        .args(["audit", "--url", url, "--token", token])
        .output()
        .context("could not run praxis audit")?;
    // It fails too if anything differs: its last line says how much does.
    let told = String::from_utf8_lossy(&audit.stdout);
    let last = told.lines().last();
    let found = last.with_context(|| format!("praxis audit: {audit:?}"))?;
    Ok(Audit {
        seconds: begun.elapsed().as_secs_f64(),
        found: found.to_owned(),
    })
}

/// A token of an operator.
pub async fn operator(url: &str) -> anyhow::Result<String> {
    let answer = reqwest::Client::new()
        .post(format!("{url}/dev/token"))
        .json(&json!({ "sub": "growth", "roles": ["operator"] }))
        .send()
        .await?
        .error_for_status()?;
    let answer: Value = answer.json().await?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

async fn until_level(url: &str, token: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let http = reqwest::Client::new();
    loop {
        let answer = http
            .get(format!("{url}/v1/ops/consumers"))
            .bearer_auth(token)
            .send()
            .await?
            .error_for_status()?;
        let consumers: Value = answer.json().await?;
        let items = consumers["items"].as_array().context("no consumers")?;
        let left: u64 = items.iter().filter_map(|item| item["lag"].as_u64()).sum();
        if left == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < LEVEL_WITHIN,
            "{left} events are not handled"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("could not run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
