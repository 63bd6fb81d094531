//! From nothing to the first answer: the whole application, its servers already running.

use std::time::Instant;

use praxis_servers::{Durability, postgres, redis};

use crate::contestant::Contestant;
use crate::figures::{Finding, Goal, Report};
use crate::place::Place;

const WARM_MS: f64 = 300.0;

pub async fn measure(place: &Place, rounds: usize) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut database =
        postgres::start(&folder.path().join("postgres"), Durability::Scratch).await?;
    let mut cache = redis::start(&folder.path().join("redis"), Durability::Scratch).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;

    let manifest = place.root.join("spin.toml").canonicalize()?;
    let mut times = Vec::new();
    // The first fills the cache.
    for _ in 0..=rounds {
        let started = Instant::now();
        let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        drop(host);
    }
    cache.stop().await?;
    database.stop().await?;
    let cold = times.remove(0);
    Ok(vec![Report {
        title: "From the start to the first 200 of the whole application".into(),
        columns: Vec::new(),
        rows: Vec::new(),
        findings: vec![
            Finding::new("with nothing compiled, ms", vec![cold], None),
            Finding::new("with a warm cache, ms", times, Some(Goal::AtMost(WARM_MS))),
        ],
    }])
}
