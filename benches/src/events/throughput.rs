//! Events a second, and what one costs: a consumer without a host, and the host with a component that
//! does nothing. They run one after the other: a round is a process of its own with a group of its
//! own, which reads the topic from its beginning.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Adapter, Application, Bench, handled};
use crate::client::Client;
use crate::clock;
use crate::contestant::{Contestant, own_processor_time};
use crate::figures::{Finding, Goal, Report, Row, pairwise};

const TOPIC: &str = "counted";
const BARE: &str = "bare";
/// The host's: a component, and how its instances are used.
const HOSTS: [(&str, &str, &str); 3] = [
    ("fresh", "noop", "fresh"),
    ("reused", "noop", "reused"),
    ("batches", "noops", "fresh"),
];

const OF_BARE: f64 = 0.6;
const PER_PROCESSOR_SECOND: f64 = 40_000.0;
const FRESH_US: f64 = 20.0;
const REUSED_US: f64 = 4.0;

/// Measured between these parts of the events: joining a group takes seconds, and the end is thin.
const FROM_PERCENT: u64 = 10;
const TO_PERCENT: u64 = 90;

/// The bare loop is through in less than a second, and asking it costs nothing.
const ASK_BARE_EVERY: Duration = Duration::from_millis(5);
/// The host writes all of its metrics each time: asked like this, that is 2 % of its time at most.
const ASK_HOST_EVERY: Duration = Duration::from_millis(100);
const STALLED: Duration = Duration::from_secs(60);

const COLUMNS: [&str; 4] = ["events/s", "CPU µs/event", "cores", "brokers' cores"];

/// What one contestant did in one round.
struct Sample {
    per_second: f64,
    /// Processor time of the contestant for each event.
    processor_us: f64,
    cores: f64,
    /// Cores that the brokers, which are in this process, were busy with: at 1 they are the limit.
    broker_cores: f64,
}

pub fn measure(bench: &Bench<'_>, rounds: usize, events: u64) -> anyhow::Result<Report> {
    bench.cluster.create(TOPIC)?;
    bench.cluster.fill(TOPIC, events, "none")?;
    let mut samples = [const { Vec::new() }; 1 + HOSTS.len()];
    // The first round is for warming up: it compiles the components.
    for round in 0..=rounds {
        for (who, samples) in samples.iter_mut().enumerate() {
            let contestant = contestant(bench, who, round, events)?;
            let sample = one(&contestant, events)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    Ok(report(events, &samples))
}

/// The bare loop, and then the hosts.
fn contestant(
    bench: &Bench<'_>,
    who: usize,
    round: usize,
    events: u64,
) -> anyhow::Result<Contestant> {
    let Some((name, component, instances)) = who.checked_sub(1).map(|host| HOSTS[host]) else {
        let brokers = bench.cluster.bootstrap();
        let group = format!("{BARE}-{round}");
        let marks = marks(events).map(|mark| mark.to_string()).join(",");
        let arguments = [
            ["--brokers", &brokers],
            ["--topic", TOPIC],
            ["--group", &group],
            ["--marks", &marks],
        ];
        return Contestant::bare(BARE, bench.folder, arguments.as_flattened());
    };
    bench.start(Application {
        name,
        adapter: Adapter::Kafka,
        with_database: false,
        topic: TOPIC,
        group: &format!("{name}-{round}"),
        component,
        instances,
        log: "off",
    })
}

fn marks(events: u64) -> [u64; 2] {
    [FROM_PERCENT, TO_PERCENT].map(|percent| events * percent / 100)
}

fn one(contestant: &Contestant, events: u64) -> anyhow::Result<Sample> {
    let mut client = Client::connect(contestant.port)?;
    let [first, last] = marks(events);
    let mut from = Mark::at(contestant, &mut client, first)?;
    let mut to = Mark::at(contestant, &mut client, last)?;
    if contestant.name == BARE {
        (from, to) = (
            from.as_told(contestant, first)?,
            to.as_told(contestant, last)?,
        );
    }
    let done = (to.handled - from.handled) as f64;
    let seconds = (to.at - from.at).as_secs_f64();
    let used = (to.used - from.used).as_secs_f64();
    Ok(Sample {
        per_second: done / seconds,
        processor_us: used * 1e6 / done,
        cores: used / seconds,
        broker_cores: (to.brokers - from.brokers).as_secs_f64() / seconds,
    })
}

/// How far a contestant is, and what that took.
struct Mark {
    handled: u64,
    /// Since the same moment for both marks of a contestant.
    at: Duration,
    used: Duration,
    brokers: Duration,
}

impl Mark {
    /// Waits until so many are handled.
    fn at(contestant: &Contestant, client: &mut Client, least: u64) -> anyhow::Result<Self> {
        let mut last = (0, Instant::now());
        loop {
            let handled = handled(client)?;
            if handled >= least {
                return Ok(Self {
                    handled,
                    at: clock::now(),
                    used: contestant.processor_time()?,
                    brokers: own_processor_time()?,
                });
            }
            if handled > last.0 {
                last = (handled, Instant::now());
            }
            ensure!(
                last.1.elapsed() < STALLED,
                "{} has not got on from {handled} of {least} events for {STALLED:?}",
                contestant.name
            );
            std::thread::sleep(match contestant.name {
                BARE => ASK_BARE_EVERY,
                _ => ASK_HOST_EVERY,
            });
        }
    }

    /// The same, as the bare loop noted it itself at exactly so many.
    fn as_told(self, contestant: &Contestant, handled: u64) -> anyhow::Result<Self> {
        let log = fs::read_to_string(&contestant.log)?;
        let told = format!("mark {handled} ");
        let line = log.lines().find_map(|line| line.strip_prefix(&told));
        let told = line.context("the bare loop has not noted how far it was")?;
        let (passed, used) = told.split_once(' ').context("a mark is short")?;
        Ok(Self {
            handled,
            at: Duration::from_nanos(passed.parse()?),
            used: Duration::from_nanos(used.parse()?),
            brokers: self.brokers,
        })
    }
}

fn report(events: u64, samples: &[Vec<Sample>; 1 + HOSTS.len()]) -> Report {
    let [bare, fresh, reused, batches] = samples;
    let row = |name: &str, samples: &[Sample]| {
        Row::new(
            name,
            samples,
            &[
                |s| s.per_second,
                |s| s.processor_us,
                |s| s.cores,
                |s| s.broker_cores,
            ],
        )
    };
    let mut findings = Vec::new();
    let goals = [
        ("fresh", fresh, Some(FRESH_US)),
        ("reused", reused, Some(REUSED_US)),
        ("batches", batches, None),
    ];
    for (name, samples, added_us) in goals {
        findings.push(Finding::new(
            format!("events/s, {name} : bare"),
            pairwise(samples, bare, |a, b| a.per_second / b.per_second),
            Some(Goal::AtLeast(OF_BARE)),
        ));
        findings.push(Finding::new(
            format!("events per second of one core, {name}"),
            samples.iter().map(|s| 1e6 / s.processor_us).collect(),
            Some(Goal::AtLeast(PER_PROCESSOR_SECOND)),
        ));
        findings.push(Finding::new(
            format!("CPU per event, {name} - bare, µs"),
            pairwise(samples, bare, |a, b| a.processor_us - b.processor_us),
            added_us.map(Goal::AtMost),
        ));
    }
    Report {
        title: format!("{events} events from Kafka to a handler that does nothing"),
        columns: COLUMNS.into(),
        rows: vec![
            row("bare rdkafka", bare),
            row("praxis, fresh", fresh),
            row("praxis, reused", reused),
            row("praxis, batches of 64", batches),
        ],
        findings,
    }
}
