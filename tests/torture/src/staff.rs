//! The staff of the hot practitioners: an hour is offered and taken back, again and again.

use std::sync::Arc;
use std::time::Duration;

use praxis_tests::Practitioner;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use tokio::time::{Instant, sleep};

use crate::clients::Crowd;
use crate::town::FICKLE_HOUR;

pub const STAFF: &str = "staff";
const RESTORED_MS_MAX: u64 = 60_000;
const PAUSE_MS: u64 = 100;

/// Changes one practitioner's hours until told to stop; in the end all are offered again. Says how
/// often they were changed.
pub async fn run(
    crowd: Arc<Crowd>,
    seed: u64,
    number: usize,
    pause_ms: u64,
) -> anyhow::Result<u64> {
    let all_hours = crowd.town.hot_practitioners()[number].clone();
    let mut fewer_hours = all_hours.clone();
    fewer_hours.hours.retain(|hour| *hour != FICKLE_HOUR);
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(2_000 + number as u64);
    let mut stop = crowd.stop.clone();
    let mut changes = 0;
    while !*stop.borrow() {
        for practitioner in [&fewer_hours, &all_hours] {
            changes += u64::from(put(&crowd, &mut chance, practitioner).await.is_ok());
            let pause = chance.random_range(pause_ms / 2..=pause_ms);
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }
    let deadline = Instant::now() + Duration::from_millis(RESTORED_MS_MAX);
    loop {
        match put(&crowd, &mut chance, &all_hours).await {
            Ok(()) => return Ok(changes),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(PAUSE_MS)).await,
        }
    }
}

async fn put(
    crowd: &Crowd,
    chance: &mut ChaCha8Rng,
    practitioner: &Practitioner,
) -> anyhow::Result<()> {
    let base = crowd.api.bases.choose(chance).cloned().unwrap_or_default();
    let path = format!("/v1/practitioners/{}", practitioner.id);
    let request = crowd.api.request(Method::PUT, &base, &path, STAFF);
    let answer = request.json(&practitioner.json()).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success(), "{path}: {status}: {text}");
    Ok(())
}
