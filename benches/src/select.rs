//! One row and a thousand from PostgreSQL.

use std::fs;

use crate::contestant::Contestant;
use crate::database;
use crate::figures::{self, COLUMNS, Finding, Goal, Report, pairwise};
use crate::load;
use crate::place::Place;

const CASES: [(&str, &str, f64); 2] = [
    ("/one", "One indexed row from PostgreSQL, as JSON", 0.7),
    ("/rows", "1,000 rows from PostgreSQL, as JSON", 0.5),
];

pub async fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut server = database::start(&folder.path().join("postgres")).await?;
    let manifest = folder.path().join("spin.toml");
    let component = place.component("sql")?;
    fs::write(
        &manifest,
        self::manifest(
            &component.display().to_string(),
            server.port(),
            &server.url(),
        ),
    )?;
    let reports = contest(
        place,
        folder.path(),
        &manifest,
        &server.url(),
        rounds,
        seconds,
    );
    server.stop().await?;
    reports
}

fn contest(
    place: &Place,
    folder: &std::path::Path,
    manifest: &std::path::Path,
    url: &str,
    rounds: usize,
    seconds: u32,
) -> anyhow::Result<Vec<Report>> {
    let contestants = [
        Contestant::praxis("praxis", place, folder, manifest, "/one", &[])?,
        Contestant::native("native", folder, "/one", &["--database-url", url])?,
        Contestant::native(
            "native, unchecked",
            folder,
            "/one",
            &["--unchecked", "--database-url", url],
        )?,
    ];
    let mut reports = Vec::new();
    for (path, title, goal) in CASES {
        let samples = load::in_turn(&contestants, rounds, |contestant| {
            load::many(contestant, path, seconds)
        })?;
        let [ours, native, unchecked] = &samples;
        let rows = contestants.iter().zip(&samples);
        reports.push(Report {
            title: title.into(),
            columns: COLUMNS.into(),
            rows: rows
                .map(|(c, samples)| figures::row(c.name, samples))
                .collect(),
            findings: vec![
                Finding::new(
                    "requests/s, praxis : native",
                    pairwise(ours, native, |a, b| a.per_second / b.per_second),
                    Some(Goal::AtLeast(goal)),
                ),
                Finding::new(
                    "requests/s, praxis : native, unchecked",
                    pairwise(ours, unchecked, |a, b| a.per_second / b.per_second),
                    None,
                ),
                Finding::new(
                    "CPU per request, praxis - native, µs",
                    pairwise(ours, native, |a, b| a.processor_us - b.processor_us),
                    None,
                ),
            ],
        });
    }
    Ok(reports)
}

fn manifest(source: &str, port: u16, url: &str) -> String {
    format!(
        "spin_manifest_version = 2\n\
         [application]\nname = \"sql\"\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"sql\"\n\
         [component.sql]\nsource = {source:?}\nallowed_outbound_hosts = [\"postgres://127.0.0.1:{port}\"]\n\
         [component.sql.variables]\ndatabase_url = {url:?}\n"
    )
}
