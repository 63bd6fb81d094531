//! A fresh instance for each request, against one that is used again.

use std::fs;
use std::path::Path;

use crate::contestant::Contestant;
use crate::figures::{self, COLUMNS, Finding, Goal, Report, pairwise};
use crate::hello;
use crate::load;
use crate::place::Place;

const FRESH_CPU_US: f64 = 40.0;

pub fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let contestants = [
        start(place, folder.path(), "fresh", 1)?,
        start(place, folder.path(), "reused", 128)?,
    ];
    let samples = load::in_turn(&contestants, rounds, |contestant| {
        load::many(contestant, "/", seconds)
    })?;
    let [fresh, reused] = &samples;
    let rows = contestants.iter().zip(&samples);
    Ok(vec![Report {
        title: "A fresh instance for each request, and one for 128 of them".into(),
        columns: COLUMNS.into(),
        rows: rows
            .map(|(c, samples)| figures::row(c.name, samples))
            .collect(),
        findings: vec![Finding::new(
            "CPU per request, fresh - reused, µs",
            pairwise(fresh, reused, |a, b| a.processor_us - b.processor_us),
            Some(Goal::AtMost(FRESH_CPU_US)),
        )],
    }])
}

fn start(
    place: &Place,
    folder: &Path,
    name: &'static str,
    requests_per_instance: usize,
) -> anyhow::Result<Contestant> {
    let manifest = folder.join(format!("{name}.toml"));
    let component = place.component("hello")?.display().to_string();
    let limit = format!(
        "[component.hello.tool.praxis]\nrequests_per_instance_max = {requests_per_instance}\n"
    );
    fs::write(&manifest, hello::manifest(&component, &limit))?;
    Contestant::praxis(name, place, folder, &manifest, "/", &[])
}
