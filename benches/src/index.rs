//! The index inside the host, alone: how fast it is built, searched and changed. Beside it a grid in
//! memory that can answer this one question and nothing else: the floor.

mod grid;
mod people;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use praxis_host::capabilities::index::embedded::Embedded;
use praxis_host::capabilities::index::{Change, Indexes, Page, Query, Schema, schemas};

use self::grid::Grid;
use self::people::{HITS, People, Wanted};
use crate::contestant;
use crate::figures::{Finding, Goal, Report, Row, pairwise};

const INDEX: &str = "practitioners";
/// Each is told by two changes, and a batch has 500 at most.
const PEOPLE_PER_BATCH: usize = 250;
/// Of one client, in each round.
const SEARCHES: usize = 2_000;
/// Of each kind, one after the other, each looked for at once.
const LOOKED_FOR: usize = 500;
/// Every so often so many changes are due.
const DUE_EVERY: Duration = Duration::from_millis(5);
const DUE: usize = 10;
/// Of so many changes beside searches, one is of a name.
const NAMES_EVERY: usize = 100;
const BESIDE: Duration = Duration::from_secs(20);
const LATENCY_US_MAX: u64 = 60_000_000;

const SEARCH_P99_MS: f64 = 10.0;
const VISIBLE_P99_MS: f64 = 50.0;

/// Milliseconds.
struct Quantiles {
    p50: f64,
    p99: f64,
}

/// Beside searches.
struct Beside {
    per_second: f64,
    changes: Quantiles,
    searches: Quantiles,
}

pub async fn measure(rounds: usize, documents: usize) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut people = People::new(documents);
    let before = contestant::own_memory()?.resident;
    let begun = Instant::now();
    let index = Arc::new(open(folder.path())?);
    for first in (0..documents).step_by(PEOPLE_PER_BATCH) {
        let batch = people.told(first..documents.min(first + PEOPLE_PER_BATCH));
        index.apply(INDEX, &batch).await.map_err(failed)?;
    }
    // The first search finds what was put so far in one commit.
    search(&index, &people.wanted()).await?;
    let built = begun.elapsed().as_secs_f64();
    let after = contestant::own_memory()?.resident;
    let resident_mib = (after.saturating_sub(before) >> 20) as f64;
    let begun = Instant::now();
    let grid = Grid::new(&people);
    let grid_built = begun.elapsed().as_secs_f64();

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let asked: Vec<Wanted> = (0..SEARCHES).map(|_| people.wanted()).collect();
        let (of_index, of_grid) = both(&index, &grid, &people, &asked).await?;
        if round > 0 {
            ours.push(of_index);
            floor.push(of_grid);
        }
    }
    let mut slots = Vec::new();
    let mut names = Vec::new();
    let mut beside = Vec::new();
    for _ in 0..rounds {
        slots.push(visible(&index, &mut people, People::next_slot).await?);
        names.push(visible(&index, &mut people, People::name).await?);
        beside.push(changes_beside_searches(&index, &mut people).await?);
    }
    drop(index);
    let begun = Instant::now();
    drop(open(folder.path())?);
    let opened = begun.elapsed().as_secs_f64();
    let quantiles = |name: &str, of: &[Quantiles]| Row::new(name, of, &[|q| q.p50, |q| q.p99]);
    let p99 = |of: &[Quantiles]| of.iter().map(|q| q.p99).collect::<Vec<_>>();
    let of = |of: fn(&Beside) -> f64| beside.iter().map(of).collect::<Vec<_>>();
    Ok(vec![Report {
        title: format!("The embedded index alone, {documents} documents, {HITS} hits a page"),
        columns: vec!["p50 ms", "p99 ms"],
        rows: vec![
            quantiles("search", &ours),
            quantiles("search, grid in memory", &floor),
            quantiles("next slot until found", &slots),
            quantiles("name until found", &names),
            Row::new(
                "search beside changes",
                &beside,
                &[|b| b.searches.p50, |b| b.searches.p99],
            ),
            Row::new(
                "change beside searches",
                &beside,
                &[|b| b.changes.p50, |b| b.changes.p99],
            ),
        ],
        findings: vec![
            Finding::new("built, s", vec![built], None),
            Finding::new("the grid built, s", vec![grid_built], None),
            Finding::new("resident memory of it, MiB", vec![resident_mib], None),
            Finding::new("opened again from its journal, s", vec![opened], None),
            Finding::new(
                "search, p99, ms",
                p99(&ours),
                Some(Goal::AtMost(SEARCH_P99_MS)),
            ),
            Finding::new(
                "search, p50, index : grid",
                pairwise(&ours, &floor, |a, b| a.p50 / b.p50),
                None,
            ),
            Finding::new(
                "next slot until found, p99, ms",
                p99(&slots),
                Some(Goal::AtMost(VISIBLE_P99_MS)),
            ),
            Finding::new(
                "name until found, p99, ms",
                p99(&names),
                Some(Goal::AtMost(VISIBLE_P99_MS)),
            ),
            Finding::new(
                "changes/s beside searches",
                of(|b| b.per_second),
                Some(Goal::AtLeast(CHANGES_PER_SECOND)),
            ),
        ],
    }])
}

/// A hair below what is due: the last batch may not be done when time is over.
const CHANGES_PER_SECOND: f64 = 1_990.0;

fn open(folder: &Path) -> anyhow::Result<Indexes> {
    let schema: BTreeMap<String, Schema> = schemas(&people::fields(INDEX))?;
    let product = Embedded::open(folder, "", &schema)?;
    Ok(Indexes::new(schema, Arc::new(product)))
}

/// The same questions to both, whose answers must be the same.
async fn both(
    index: &Indexes,
    grid: &Grid,
    people: &People,
    asked: &[Wanted],
) -> anyhow::Result<(Quantiles, Quantiles)> {
    let (mut ours, mut floor) = (histogram()?, histogram()?);
    for wanted in asked {
        let begun = Instant::now();
        let page = search(index, wanted).await?;
        note(&mut ours, begun)?;
        let begun = Instant::now();
        let found = grid.search(people, wanted);
        note(&mut floor, begun)?;
        let ids: Vec<_> = page.hits.iter().map(|hit| hit.id.clone()).collect();
        let found: Vec<_> = found.into_iter().map(people::id).collect();
        ensure!(ids == found, "{wanted:?}: {ids:?}, but the grid {found:?}");
    }
    Ok((quantiles(&ours), quantiles(&floor)))
}

/// From a change, made by `change`, until a search shows it.
async fn visible(
    index: &Indexes,
    people: &mut People,
    change: fn(&mut People, usize) -> (Change, Query),
) -> anyhow::Result<Quantiles> {
    let mut took = histogram()?;
    for _ in 0..LOOKED_FOR {
        let who = people.anybody();
        let (change, query) = change(people, who);
        let value = change.fields[0].value.clone();
        let begun = Instant::now();
        index.apply(INDEX, &[change]).await.map_err(failed)?;
        let page = index.search(INDEX, &query).await.map_err(failed)?;
        note(&mut took, begun)?;
        let id = people::id(who);
        let hit = page.hits.iter().find(|hit| hit.id == id);
        let hit = hit.with_context(|| format!("{query:?} does not find {id}"))?;
        ensure!(
            hit.fields.iter().any(|field| field.value == value),
            "a search shows what was: {hit:?}, not {value:?}"
        );
    }
    Ok(quantiles(&took))
}

async fn changes_beside_searches(
    index: &Arc<Indexes>,
    people: &mut People,
) -> anyhow::Result<Beside> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked: Vec<Wanted> = (0..SEARCHES).map(|_| people.wanted()).collect();
    let searching = tokio::spawn({
        let (index, stop) = (Arc::clone(index), Arc::clone(&stop));
        async move {
            let mut took = histogram()?;
            for wanted in asked.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let begun = Instant::now();
                search(&index, wanted).await?;
                note(&mut took, begun)?;
            }
            Ok::<_, anyhow::Error>(took)
        }
    });
    let mut took = histogram()?;
    let mut changed = 0;
    let begun = Instant::now();
    let mut due = tokio::time::Instant::now();
    while begun.elapsed() < BESIDE {
        tokio::time::sleep_until(due).await;
        let batch: Vec<Change> = (0..DUE)
            .map(|_| {
                changed += 1;
                let who = people.anybody();
                match changed % NAMES_EVERY {
                    0 => people.name(who).0,
                    _ => people.next_slot(who).0,
                }
            })
            .collect();
        index.apply(INDEX, &batch).await.map_err(failed)?;
        // From when it was due: a stall can't hide.
        note(&mut took, due.into_std())?;
        due += DUE_EVERY;
    }
    let per_second = changed as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let searches = searching.await??;
    Ok(Beside {
        per_second,
        changes: quantiles(&took),
        searches: quantiles(&searches),
    })
}

async fn search(index: &Indexes, wanted: &Wanted) -> anyhow::Result<Page> {
    index.search(INDEX, &wanted.query()).await.map_err(failed)
}

fn failed(error: praxis_host::capabilities::index::Error) -> anyhow::Error {
    anyhow::anyhow!("the index: {error:?}")
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LATENCY_US_MAX, 3)?)
}

fn note(took: &mut Histogram<u64>, begun: Instant) -> anyhow::Result<()> {
    let us = u64::try_from(begun.elapsed().as_micros())?;
    Ok(took.record(us.clamp(1, LATENCY_US_MAX))?)
}

fn quantiles(took: &Histogram<u64>) -> Quantiles {
    let ms = |quantile| took.value_at_quantile(quantile) as f64 / 1_000.0;
    Quantiles {
        p50: ms(0.5),
        p99: ms(0.99),
    }
}
