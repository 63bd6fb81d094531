//! The requests themselves.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::aim::Wanted;
use super::locked;
use crate::audit::Audit;
use crate::http::client;

const RADIUS_KM: u32 = 25;
const HITS: u32 = 20;
const DAYS_AHEAD: u64 = 14;
const SOURCE_HEADER: &str = "x-praxis-source";
const BITMAP: &str = "bitmap";
const PEOPLE: u32 = 500;
/// Bookings that may be cancelled later.
const BOOKED_MAX: usize = 10_000;
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const VISIBLE_MAX: Duration = Duration::from_secs(30);
const LEVEL_MAX: Duration = Duration::from_secs(600);
const LEVEL_EVERY: Duration = Duration::from_millis(500);

/// Why a request did not come off.
#[derive(Debug)]
pub enum Failure {
    /// Somebody else was faster: that is right so.
    Refused,
    Failed(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => f.write_str("somebody else was faster"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

pub struct Client {
    http: reqwest::Client,
    url: String,
    people: Vec<String>,
    operator: String,
    booked: Mutex<Vec<Booked>>,
    /// Sets this run's idempotency keys apart from those of another with the same seed.
    run: u128,
}

/// A booking that somebody may cancel.
pub struct Booked {
    id: String,
    person: usize,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    pub practitioner_id: String,
    pub next_available_slot: Option<String>,
}

/// What is free, and who knew it.
pub struct Looked {
    pub free: Vec<String>,
    /// The bitmap did not have it: it was loaded from the database.
    pub is_loaded: bool,
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

#[derive(Deserialize)]
struct Booking {
    booking_id: String,
}

impl Client {
    /// Fails unless it is a development host, which gives tokens.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let http = client()?;
        let mut people = Vec::new();
        for person in 0..PEOPLE {
            let claims = json!({
                "sub": format!("bench-{person}"),
                "roles": ["patient"],
                "name": format!("Bench {person}"),
                "email": format!("bench-{person}@example.org"),
            });
            people.push(token(&http, url, &claims).await?);
        }
        let operator = json!({ "sub": "bench-operator", "roles": ["operator"] });
        Ok(Self {
            operator: token(&http, url, &operator).await?,
            http,
            url: url.to_owned(),
            people,
            booked: Mutex::default(),
            run: u128::from(today().timestamp_micros().unsigned_abs()),
        })
    }

    pub async fn search(&self, wanted: &Wanted) -> Result<Vec<Item>, Failure> {
        let Wanted {
            lat,
            lon,
            specialty,
        } = wanted;
        let url = format!(
            "{}/v1/practitioners/search?lat={lat}&lon={lon}&radius_km={RADIUS_KM}&specialty={specialty}&limit={HITS}",
            self.url
        );
        let answer = answered(self.http.get(url)).await?;
        let page: Page = answer.json().await.map_err(failed)?;
        Ok(page.items)
    }

    /// The slots that are free.
    pub async fn look(&self, practitioner: &str) -> Result<Looked, Failure> {
        let today = today();
        let to = today + chrono::Days::new(DAYS_AHEAD);
        let url = format!(
            "{}/v1/practitioners/{practitioner}/availability?from={}&to={}",
            self.url,
            today.format("%F"),
            to.format("%F")
        );
        let answer = answered(self.http.get(url)).await?;
        let source = answer.headers().get(SOURCE_HEADER);
        let is_loaded = source.is_none_or(|source| source != BITMAP);
        let found: Availability = answer.json().await.map_err(failed)?;
        let slots = found.days.into_iter().flat_map(|day| day.slots);
        Ok(Looked {
            free: slots.map(|slot| slot.slot_start).collect(),
            is_loaded,
        })
    }

    pub async fn book(
        &self,
        practitioner: &str,
        slot: &str,
        chance: &mut ChaCha8Rng,
    ) -> Result<Booked, Failure> {
        let person = chance.random_range(0..self.people.len());
        let request = self
            .http
            .post(format!("{}/v1/bookings", self.url))
            .bearer_auth(&self.people[person])
            .header(
                "Idempotency-Key",
                Uuid::from_u128(chance.random::<u128>().wrapping_add(self.run)).to_string(),
            )
            .json(&json!({ "practitioner_id": practitioner, "slot_start": slot }));
        let answer = answered(request).await?;
        let booking: Booking = answer.json().await.map_err(failed)?;
        Ok(Booked {
            id: booking.booking_id,
            person,
        })
    }

    /// Keeps a booking for somebody to cancel.
    pub fn keep(&self, booking: Booked) {
        let mut booked = locked(&self.booked);
        if booked.len() < BOOKED_MAX {
            booked.push(booking);
        }
    }

    /// One of the bookings that were kept, which is then no more to be had.
    pub fn booked(&self, chance: &mut ChaCha8Rng) -> Option<Booked> {
        let mut booked = locked(&self.booked);
        let at = chance.random_range(0..booked.len().max(1));
        (at < booked.len()).then(|| booked.swap_remove(at))
    }

    pub async fn cancel(&self, booking: &Booked) -> Result<(), Failure> {
        let url = format!("{}/v1/bookings/{}/cancel", self.url, booking.id);
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.people[booking.person])
            .header("If-Match", "\"1\"");
        answered(request).await.map(drop)
    }

    /// Searches until the practitioner is shown with another slot, or not at all.
    pub async fn until_moved_on(&self, wanted: &Wanted, was: &Item) -> Result<(), Failure> {
        let deadline = Instant::now() + VISIBLE_MAX;
        loop {
            let found = self.search(wanted).await?;
            let is = found
                .iter()
                .find(|item| item.practitioner_id == was.practitioner_id);
            if is.is_none_or(|is| is.next_available_slot != was.next_available_slot) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = "the search does not show a booking";
                return Err(Failure::Failed(what.to_owned()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// An audit that heals nothing.
    pub fn audit(&self) -> Audit<'_> {
        Audit {
            http: &self.http,
            url: &self.url,
            token: &self.operator,
            heals: false,
        }
    }

    /// How long it takes until no consumer has anything left to do.
    pub async fn until_level(&self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let answer = self
                .http
                .get(format!("{}/v1/ops/consumers", self.url))
                .bearer_auth(&self.operator)
                .send()
                .await?
                .error_for_status()?;
            let groups: Value = answer.json().await?;
            let items = groups["items"].as_array().context("no consumers")?;
            let left: u64 = items.iter().filter_map(|item| item["lag"].as_u64()).sum();
            if left == 0 {
                return Ok(begun.elapsed());
            }
            ensure!(
                begun.elapsed() < LEVEL_MAX,
                "{left} events are not handled after {} s",
                LEVEL_MAX.as_secs()
            );
            tokio::time::sleep(LEVEL_EVERY).await;
        }
    }
}

async fn answered(request: RequestBuilder) -> Result<Response, Failure> {
    let answer = request.send().await.map_err(failed)?;
    match answer.status() {
        StatusCode::CONFLICT => Err(Failure::Refused),
        status if status.is_success() => Ok(answer),
        status => Err(Failure::Failed(status.to_string())),
    }
}

fn failed(error: reqwest::Error) -> Failure {
    Failure::Failed(error.without_url().to_string())
}

async fn token(http: &reqwest::Client, url: &str, claims: &Value) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: String,
    }
    let answer = http
        .post(format!("{url}/dev/token"))
        .json(claims)
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
    reason = "a client's clock decides which days it asks for, and tells its runs apart"
)]
fn today() -> chrono::DateTime<chrono::Utc> {
    std::time::SystemTime::now().into()
}
