//! What memory a host takes that has a great deal to catch up with.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Adapter, Application, Bench, handled, log};
use crate::client::Client;
use crate::figures::{Finding, Goal, Report, Row};

const TOPIC: &str = "backlog";
const EMPTY: &str = "empty";

/// A host that has nothing to do is looked at after so long.
const IDLE: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const STALLED: Duration = Duration::from_secs(60);
const MIB: f64 = (1 << 20) as f64;

/// The highest of the last third, to that of the first: what grows with what was worked off.
const GROWTH_MAX: f64 = 1.2;

const COLUMNS: [&str; 4] = ["idle MiB", "first third", "last third", "events/s"];

pub async fn measure(bench: &Bench<'_>, backlog: u64) -> anyhow::Result<Report> {
    bench.cluster.create(EMPTY)?;
    bench.cluster.create(TOPIC)?;
    // Compressed, or the mock brokers would not keep it.
    bench.cluster.fill(TOPIC, backlog, "gzip")?;
    log::fill(&bench.database_url, TOPIC, backlog).await?;
    let mut rows = Vec::new();
    let mut findings = Vec::new();
    for (name, adapter) in [("Kafka", Adapter::Kafka), ("PostgreSQL", Adapter::Postgres)] {
        let idle = idle(bench, adapter)?;
        let worked = work_off(bench, adapter, backlog)?;
        findings.push(Finding::new(
            format!("resident memory, last third : first third, {name}"),
            vec![worked.last / worked.first],
            Some(Goal::AtMost(GROWTH_MAX)),
        ));
        rows.push(Row {
            name: name.to_owned(),
            medians: vec![idle, worked.first, worked.last, worked.per_second],
        });
    }
    Ok(Report {
        title: format!("Resident memory with {backlog} events of backlog"),
        columns: COLUMNS.into(),
        rows,
        findings,
    })
}

fn application<'a>(adapter: Adapter, topic: &'a str, group: &'a str) -> Application<'a> {
    Application {
        name: match adapter {
            Adapter::Kafka => "backlog on Kafka",
            Adapter::Postgres => "backlog on PostgreSQL",
        },
        adapter,
        with_database: adapter == Adapter::Postgres,
        topic,
        group,
        component: "noop",
        instances: "fresh",
        log: "off",
    }
}

fn idle(bench: &Bench<'_>, adapter: Adapter) -> anyhow::Result<f64> {
    let host = bench.start(application(adapter, EMPTY, "idle"))?;
    std::thread::sleep(IDLE);
    Ok(host.memory()?.resident as f64 / MIB)
}

/// The highest resident memory of the first and the last third of the time, in MiB.
struct Worked {
    first: f64,
    last: f64,
    per_second: f64,
}

fn work_off(bench: &Bench<'_>, adapter: Adapter, backlog: u64) -> anyhow::Result<Worked> {
    let host = bench.start(application(adapter, TOPIC, TOPIC))?;
    let mut client = Client::connect(host.port)?;
    let joined = Instant::now();
    while handled(&mut client)? == 0 {
        ensure!(joined.elapsed() < STALLED, "{} handles nothing", host.name);
        std::thread::sleep(LOOK_EVERY);
    }
    let begun = Instant::now();
    let before = handled(&mut client)?;
    let mut seen = Vec::new();
    let mut done = before;
    while begun.elapsed() < WATCHED && done < backlog {
        seen.push(host.memory()?.resident as f64 / MIB);
        std::thread::sleep(LOOK_EVERY);
        done = handled(&mut client)?;
    }
    let third = seen.len().div_ceil(3);
    ensure!(third > 0, "the backlog was too small to be seen");
    let highest = |seen: &[f64]| seen.iter().copied().fold(0.0, f64::max);
    Ok(Worked {
        first: highest(&seen[..third]),
        last: highest(&seen[seen.len() - third..]),
        per_second: (done - before) as f64 / begun.elapsed().as_secs_f64(),
    })
}
