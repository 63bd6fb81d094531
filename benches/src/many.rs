//! Components that lie idle, each hit once: what one costs in memory and at the start.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::client::Client;
use crate::contestant::Contestant;
use crate::figures::{Finding, Report};
use crate::place::Place;

/// Longer than the host keeps an instance without work.
const IDLE: Duration = Duration::from_secs(3);

/// One that is compiled in no time, so that there can be ten times as many: what a component costs
/// beside its own code.
const SMALL: &str = include_str!("many/small.wat");

pub fn measure(place: &Place, components: usize, small: usize) -> anyhow::Result<Vec<Report>> {
    let hello = fs::read(place.component("hello")?)?;
    let smallest = wat::parse_str(SMALL).context("many/small.wat")?;
    Ok(vec![
        many(place, &hello, components)?,
        many(place, &smallest, small)?,
    ])
}

fn many(place: &Place, wasm: &[u8], components: usize) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    for index in 0..components {
        fs::write(
            folder.path().join(format!("{index}.wasm")),
            distinct(wasm, index),
        )?;
    }
    let few = start(place, folder.path(), 1)?.0;
    let base = few.memory()?;
    drop(few);

    let (host, cold) = start(place, folder.path(), components)?;
    drop(host);
    let (host, warm) = start(place, folder.path(), components)?;
    let started = host.memory()?;
    let mut hits = Vec::with_capacity(components);
    for index in 0..components {
        // A connection each: none stays open longer than the host likes.
        let mut client = Client::connect(host.port)?;
        hits.push(client.get(&format!("/{index}"))?.as_secs_f64() * 1e6);
    }
    std::thread::sleep(IDLE);
    let hit = host.memory()?;
    hits.sort_by(f64::total_cmp);

    let each = |bytes: u64, base: u64| {
        let kilobytes = bytes.saturating_sub(base) as f64 / 1024.0;
        kilobytes / components as f64
    };
    let finding = |what: &str, value: f64| Finding::new(what, vec![value], None);
    let per_component = |time: Duration| time.as_secs_f64() * 1e6 / components as f64;
    Ok(Report {
        title: format!(
            "{components} different components of {:.1} kB",
            wasm.len() as f64 / 1e3
        ),
        columns: Vec::new(),
        rows: Vec::new(),
        findings: vec![
            finding("start with nothing compiled, ms", cold.as_secs_f64() * 1e3),
            finding("start with a warm cache, ms", warm.as_secs_f64() * 1e3),
            finding("the same for each component, µs", per_component(warm)),
            finding("RSS of a host of one, MB", base.resident as f64 / 1e6),
            finding(
                "RSS for each before its hit, KiB",
                each(started.resident, base.resident),
            ),
            finding(
                "RSS for each, idle after its hit, KiB",
                each(hit.resident, base.resident),
            ),
            finding(
                "PSS for each, idle after its hit, KiB",
                each(hit.proportional, base.proportional),
            ),
            finding("the first hit, p50 µs", hits[components / 2]),
            finding("the first hit, p99 µs", hits[components * 99 / 100]),
        ],
    })
}

/// The same code in other bytes: a custom section more.
fn distinct(wasm: &[u8], index: usize) -> Vec<u8> {
    const CUSTOM_SECTION: u8 = 0;
    const NAME: &[u8] = b"index";
    let index = (index as u64).to_le_bytes();
    let mut distinct = wasm.to_vec();
    let lengths = [
        CUSTOM_SECTION,
        (1 + NAME.len() + index.len()) as u8,
        NAME.len() as u8,
    ];
    distinct.extend_from_slice(&lengths);
    distinct.extend_from_slice(NAME);
    distinct.extend_from_slice(&index);
    distinct
}

fn start(
    place: &Place,
    folder: &Path,
    components: usize,
) -> anyhow::Result<(Contestant, Duration)> {
    let mut manifest = "spin_manifest_version = 2\n[application]\nname = \"many\"\n".to_owned();
    for index in 0..components {
        write!(
            manifest,
            "[[trigger.http]]\nroute = \"/{index}\"\ncomponent = \"c{index}\"\n\
             [component.c{index}]\nsource = \"{index}.wasm\"\n"
        )
        .context("a string can be written to")?;
    }
    let path = folder.join("spin.toml");
    fs::write(&path, manifest)?;
    let started = Instant::now();
    let host = Contestant::praxis("praxis", place, folder, &path, "/0", &[])?;
    Ok((host, started.elapsed()))
}
