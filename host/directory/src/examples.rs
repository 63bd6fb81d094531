//! Three lines to try, made from what the running server answers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::Client;
use serde::Deserialize;
use uuid::Uuid;

use crate::http::client;

/// The middle of Berlin: `DEMO` has general practitioners around it.
const SEARCH: &str =
    "/v1/practitioners/search?lat=52.52&lon=13.405&radius_km=10&specialty=general-practice";

/// How long a directory that was just imported may take to be found.
const SEARCH_TRIES_MS: u64 = 30_000;
const SEARCH_PAUSE_MS: u64 = 100;

#[derive(Deserialize)]
struct Page {
    items: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    practitioner_id: Uuid,
    next_available_slot: Option<String>,
}

/// Three `curl` lines (search, availability, booking) that work as pasted against the Praxis at
/// `address` (`http://127.0.0.1:3000`), whose directory holds [`crate::DEMO`]. It asks the server
/// for a practitioner with a free slot, and waits up to half a minute until there is one.
pub async fn examples(address: &str, patient_token: &str) -> anyhow::Result<String> {
    let address = address.trim_end_matches('/');
    let (practitioner, slot) = bookable(address).await?;
    let date = slot.get(..10).context("the slot is not RFC 3339")?;
    // The same line twice is one booking; another slot is another line.
    let key = Uuid::new_v5(&practitioner, slot.as_bytes());
    Ok(format!(
        "curl '{address}{SEARCH}'\n\
         curl '{address}/v1/practitioners/{practitioner}/availability?from={date}&to={date}'\n\
         curl '{address}/v1/bookings' -H 'Authorization: Bearer {patient_token}' \
         -H 'Idempotency-Key: {key}' -H 'Content-Type: application/json' \
         -d '{{\"practitioner_id\":\"{practitioner}\",\"slot_start\":\"{slot}\"}}'\n"
    ))
}

async fn bookable(address: &str) -> anyhow::Result<(Uuid, String)> {
    let client = client()?;
    let url = format!("{address}{SEARCH}");
    let started = Instant::now();
    loop {
        let page = search(&client, &url).await;
        let late = started.elapsed() > Duration::from_millis(SEARCH_TRIES_MS);
        match page {
            Ok(page) => {
                let found = page.items.into_iter().find_map(|item| {
                    item.next_available_slot
                        .map(|slot| (item.practitioner_id, slot))
                });
                match found {
                    Some(found) => return Ok(found),
                    None if late => bail!("{url} finds nobody with a free slot"),
                    None => {}
                }
            }
            Err(error) if late => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(SEARCH_PAUSE_MS)).await;
    }
}

async fn search(client: &Client, url: &str) -> anyhow::Result<Page> {
    let response = client.get(url).send().await?.error_for_status()?;
    response
        .json()
        .await
        .context("the answer is not that of a search")
}
