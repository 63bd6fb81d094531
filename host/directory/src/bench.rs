//! `praxis bench`: searches, looks at free slots and books at a steady rate, and says how long
//! each took.
//!
//! The load is open: a request is due at its time, whether or not the one before was answered, and
//! its latency counts from then. So a server that stalls can't hide it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use crate::import::client;

/// Where it searches: the middle of places that both the demo and a made directory have.
const PLACES: [(f64, f64); 8] = [
    (52.52, 13.405),
    (53.551, 9.993),
    (51.507, -0.128),
    (48.857, 2.352),
    (40.417, -3.704),
    (41.903, 12.496),
    (52.23, 21.012),
    (52.373, 4.893),
];
const RADIUS_KM: u32 = 25;
const SPECIALTIES: [&str; 4] = [
    "general-practice",
    "paediatrics",
    "dermatology",
    "dentistry",
];
const DAYS_AHEAD: u64 = 14;
const PEOPLE: u32 = 500;
/// Found before the load begins; bookings are spread over them.
const TARGETS_MAX: usize = 400;
const LATENCY_US_MAX: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Of ten requests: this many searches, this many looks at free slots; the rest books.
const SEARCHES_OF_TEN: u32 = 4;
const LOOKS_OF_TEN: u32 = 4;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where Praxis runs; it must be a development host, since it gives the tokens.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Requests a second, all kinds together.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The same seed asks for the same things.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What one kind of request took, in microseconds.
struct Kind {
    name: &'static str,
    latencies: Mutex<Histogram<u64>>,
    refused: Mutex<u64>,
}

struct Bench {
    client: Client,
    url: String,
    tokens: Vec<String>,
    targets: Vec<String>,
    kinds: [Kind; 3],
}

#[derive(Clone, Copy)]
enum Step {
    Search {
        place: usize,
        specialty: usize,
    },
    Look {
        target: usize,
    },
    Book {
        target: usize,
        person: usize,
        pick: u64,
    },
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    practitioner_id: String,
}

#[derive(Deserialize)]
struct Availability {
    days: Vec<Day>,
}

#[derive(Deserialize)]
struct Day {
    slots: Vec<Slot>,
}

#[derive(Deserialize)]
struct Slot {
    slot_start: String,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    ensure!(arguments.rate > 0, "the rate must be at least 1");
    let mut chance = ChaCha8Rng::seed_from_u64(arguments.seed);
    let bench = Arc::new(Bench::prepare(arguments.url.trim_end_matches('/')).await?);
    let total = u64::from(arguments.rate) * u64::from(arguments.seconds);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    for _ in 0..total {
        let due = ticks.tick().await;
        let step = bench.step(&mut chance);
        running.spawn(Arc::clone(&bench).take(step, due));
        while let Some(done) = running.try_join_next() {
            done??;
        }
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    bench.print(&arguments);
    Ok(())
}

impl Bench {
    async fn prepare(url: &str) -> anyhow::Result<Self> {
        let client = client()?;
        let mut targets = Vec::new();
        for (lat, lon) in PLACES {
            for specialty in SPECIALTIES {
                let page: Page = client
                    .get(search_url(url, lat, lon, specialty))
                    .send()
                    .await?
                    .error_for_status()?
                    .json()
                    .await?;
                targets.extend(page.items.into_iter().map(|item| item.practitioner_id));
            }
        }
        ensure!(
            !targets.is_empty(),
            "{url} finds nobody: import a directory first"
        );
        targets.truncate(TARGETS_MAX);
        let mut tokens = Vec::new();
        for person in 0..PEOPLE {
            tokens.push(token(&client, url, person).await?);
        }
        let kind = |name| -> anyhow::Result<Kind> {
            Ok(Kind {
                name,
                latencies: Mutex::new(Histogram::new_with_max(LATENCY_US_MAX, SIGNIFICANT_DIGITS)?),
                refused: Mutex::new(0),
            })
        };
        Ok(Self {
            client,
            url: url.to_owned(),
            tokens,
            targets,
            kinds: [kind("search")?, kind("availability")?, kind("booking")?],
        })
    }

    fn step(&self, chance: &mut ChaCha8Rng) -> Step {
        let target = chance.random_range(0..self.targets.len());
        match chance.random_range(0..10) {
            n if n < SEARCHES_OF_TEN => Step::Search {
                place: chance.random_range(0..PLACES.len()),
                specialty: chance.random_range(0..SPECIALTIES.len()),
            },
            n if n < SEARCHES_OF_TEN + LOOKS_OF_TEN => Step::Look { target },
            _ => Step::Book {
                target,
                person: chance.random_range(0..self.tokens.len()),
                pick: chance.random(),
            },
        }
    }

    async fn take(self: Arc<Self>, step: Step, due: Instant) -> anyhow::Result<()> {
        match step {
            Step::Search { place, specialty } => {
                let (lat, lon) = PLACES[place];
                let url = search_url(&self.url, lat, lon, SPECIALTIES[specialty]);
                let answer = self.client.get(url).send().await?;
                let status = answer.status();
                answer.bytes().await?;
                self.kinds[0].note(due, status)
            }
            Step::Look { target } => {
                let answer = self.client.get(self.look_url(target)).send().await?;
                let status = answer.status();
                answer.bytes().await?;
                self.kinds[1].note(due, status)
            }
            Step::Book {
                target,
                person,
                pick,
            } => self.book(target, person, pick).await,
        }
    }

    /// Books a free slot. Looking for it is not part of what is measured.
    async fn book(&self, target: usize, person: usize, pick: u64) -> anyhow::Result<()> {
        let answer = self.client.get(self.look_url(target)).send().await?;
        let free: Availability = answer.error_for_status()?.json().await?;
        let mut slots: Vec<Slot> = free.days.into_iter().flat_map(|day| day.slots).collect();
        if slots.is_empty() {
            return Ok(());
        }
        let slot = slots.swap_remove(usize::try_from(pick % slots.len() as u64)?);
        let started = Instant::now();
        let answer = self
            .client
            .post(format!("{}/v1/bookings", self.url))
            .bearer_auth(&self.tokens[person])
            .header(
                "Idempotency-Key",
                Uuid::from_u64_pair(pick, person as u64).to_string(),
            )
            .json(&json!({
                "practitioner_id": self.targets[target],
                "slot_start": slot.slot_start,
            }))
            .send()
            .await?;
        let status = answer.status();
        answer.bytes().await?;
        self.kinds[2].note(started, status)
    }

    fn look_url(&self, target: usize) -> String {
        let practitioner = &self.targets[target];
        let today = chrono::DateTime::<chrono::Utc>::from(std::time::UNIX_EPOCH + since_epoch());
        let to = today + chrono::Days::new(DAYS_AHEAD);
        format!(
            "{}/v1/practitioners/{practitioner}/availability?from={}&to={}",
            self.url,
            today.format("%F"),
            to.format("%F")
        )
    }

    fn print(&self, arguments: &Arguments) {
        println!("{} requests/s for {} s", arguments.rate, arguments.seconds);
        println!(
            "{:14} {:>8} {:>8} {:>9} {:>9} {:>9}",
            "", "requests", "refused", "p50 ms", "p99 ms", "max ms"
        );
        for kind in &self.kinds {
            let latencies = kind
                .latencies
                .lock()
                .expect("nobody panics while holding it");
            let ms = |us: u64| us as f64 / 1000.0;
            println!(
                "{:14} {:>8} {:>8} {:>9.1} {:>9.1} {:>9.1}",
                kind.name,
                latencies.len(),
                kind.refused.lock().expect("nobody panics while holding it"),
                ms(latencies.value_at_quantile(0.5)),
                ms(latencies.value_at_quantile(0.99)),
                ms(latencies.max()),
            );
        }
    }
}

impl Kind {
    /// Notes a success; counts a refusal (409: somebody else was faster); anything else is fatal.
    fn note(&self, since: Instant, status: StatusCode) -> anyhow::Result<()> {
        if status == StatusCode::CONFLICT {
            *self.refused.lock().expect("nobody panics while holding it") += 1;
            return Ok(());
        }
        ensure!(
            status.is_success(),
            "{} was answered with {status}",
            self.name
        );
        let us = u64::try_from(since.elapsed().as_micros())?.clamp(1, LATENCY_US_MAX);
        self.latencies
            .lock()
            .expect("nobody panics while holding it")
            .record(us)
            .context("the latency is out of range")
    }
}

fn search_url(url: &str, lat: f64, lon: f64, specialty: &str) -> String {
    format!(
        "{url}/v1/practitioners/search?lat={lat}&lon={lon}&radius_km={RADIUS_KM}&specialty={specialty}&limit=20"
    )
}

async fn token(client: &Client, url: &str, person: u32) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: String,
    }
    let answer = client
        .post(format!("{url}/dev/token"))
        .json(&json!({
            "sub": format!("bench-{person}"),
            "roles": ["patient"],
            "name": format!("Bench {person}"),
            "email": format!("bench-{person}@example.org"),
        }))
        .send()
        .await?;
    let answer: Answer = answer
        .error_for_status()
        .context("it gives no tokens: is it a development host?")?
        .json()
        .await?;
    Ok(answer.token)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client's clock decides which days it asks for"
)]
fn since_epoch() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}
