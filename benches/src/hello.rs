//! A greeting: what the host itself costs.

use std::fs;

use crate::contestant::Contestant;
use crate::figures::{self, COLUMNS, Finding, Goal, Report, pairwise};
use crate::load;
use crate::place::Place;

const OF_WASMTIME: f64 = 1.1;
/// A delayed acknowledgement costs 40 ms and more.
const SLOW_P99_US: f64 = 10_000.0;

pub fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let component = place.component("hello")?;
    let manifest = folder.path().join("spin.toml");
    fs::write(
        &manifest,
        self::manifest(&component.display().to_string(), ""),
    )?;
    let contestants = [
        Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &[])?,
        Contestant::wasmtime(place, folder.path(), &component)?,
        Contestant::native("native", folder.path(), "/", &[])?,
    ];
    let measured = load::in_turn(&contestants, rounds, |contestant| {
        let sample = load::many(contestant, "/", seconds)?;
        Ok((sample, load::slow(contestant, "/")?))
    })?;
    let [slow_praxis, slow_wasmtime, slow_native] = measured
        .each_ref()
        .map(|pairs| pairs.iter().map(|(_, calm)| *calm).collect());
    let samples = measured.map(|pairs| {
        pairs
            .into_iter()
            .map(|(sample, _)| sample)
            .collect::<Vec<_>>()
    });
    let [ours, wasmtime, native] = &samples;
    let rows = contestants.iter().zip(&samples);
    Ok(vec![Report {
        title: "Hello world over HTTP/1.1".into(),
        columns: COLUMNS.into(),
        rows: rows
            .map(|(c, samples)| figures::row(c.name, samples))
            .collect(),
        findings: vec![
            Finding::new(
                "requests/s, praxis : wasmtime serve",
                pairwise(ours, wasmtime, |a, b| a.per_second / b.per_second),
                Some(Goal::AtLeast(OF_WASMTIME)),
            ),
            Finding::new(
                "CPU per request, praxis : wasmtime serve",
                pairwise(ours, wasmtime, |a, b| a.processor_us / b.processor_us),
                None,
            ),
            Finding::new(
                "CPU per request, praxis - native, µs",
                pairwise(ours, native, |a, b| a.processor_us - b.processor_us),
                None,
            ),
            Finding::new(
                "p99 on one slow kept-alive connection, praxis, µs",
                slow_praxis,
                Some(Goal::AtMost(SLOW_P99_US)),
            ),
            Finding::new("the same, wasmtime serve, µs", slow_wasmtime, None),
            Finding::new("the same, native, µs", slow_native, None),
        ],
    }])
}

/// A Spin application of one component; `more` follows in the component's table.
pub fn manifest(source: &str, more: &str) -> String {
    format!(
        "spin_manifest_version = 2\n\
         [application]\nname = \"hello\"\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n\
         [component.hello]\nsource = {source:?}\n{more}"
    )
}
