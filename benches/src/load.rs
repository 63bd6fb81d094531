//! Load: wrk for many connections, a thread of our own for one slow one.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::client::Client;
use crate::contestant::Contestant;

/// Connections that always have a request under way.
pub const CONNECTIONS: u32 = 16;
/// `wrk` counts a request that takes longer as failed. On a busy machine a process may wait for a second
/// until it runs.
const ANSWER_SECONDS_MAX: u32 = 30;
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/report.lua");
/// On the slow connection: this many requests, so far apart.
const SLOW_REQUESTS: usize = 100;
const SLOW_PAUSE: Duration = Duration::from_millis(5);

/// What one contestant did in one round.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// That were answered well.
    pub requests: u64,
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the server, for each request.
    pub processor_us: f64,
}

/// Measures each contestant in turn, round by round. The first round is for warming up, and does not
/// count.
pub fn in_turn<T, const N: usize>(
    contestants: &[Contestant; N],
    rounds: usize,
    mut measure: impl FnMut(&Contestant) -> anyhow::Result<T>,
) -> anyhow::Result<[Vec<T>; N]> {
    let mut samples = contestants.each_ref().map(|_| Vec::new());
    for round in 0..=rounds {
        for (contestant, samples) in contestants.iter().zip(&mut samples) {
            let sample = measure(contestant)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

/// Loads a contestant for some seconds.
pub fn many(contestant: &Contestant, path: &str, seconds: u32) -> anyhow::Result<Sample> {
    wrk(contestant, path, seconds, REPORT, &[])
}

/// The same with the requests that a script of `wrk` makes, which reports as `report.lua` does.
pub fn scripted(
    contestant: &Contestant,
    seconds: u32,
    script: &str,
    arguments: &[String],
) -> anyhow::Result<Sample> {
    wrk(contestant, "/", seconds, script, arguments)
}

fn wrk(
    contestant: &Contestant,
    path: &str,
    seconds: u32,
    script: &str,
    arguments: &[String],
) -> anyhow::Result<Sample> {
    let before = contestant.processor_time()?;
    let output = Command::new("wrk")
        .args(["--threads=1", &format!("--connections={CONNECTIONS}")])
        .arg(format!("--duration={seconds}s"))
        .arg(format!("--timeout={ANSWER_SECONDS_MAX}s"))
        .args(["--script", script])
        .arg(format!("http://127.0.0.1:{}{path}", contestant.port))
        .arg("--")
        .args(arguments)
        .output()
        .context("could not run wrk")?;
    let used = contestant.processor_time()? - before;
    ensure!(output.status.success(), "wrk failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("report "));
    let fields: Vec<f64> = line
        .context("wrk reported nothing")?
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [requests, duration_us, p50_us, p99_us, errors] = fields[..] else {
        bail!("wrk reported {line:?}");
    };
    ensure!(
        errors == 0.0,
        "{}: {errors} of {requests} requests failed",
        contestant.name
    );
    Ok(Sample {
        // A count, as Lua prints it.
        requests: requests as u64,
        per_second: requests / (duration_us / 1e6),
        p50_us,
        p99_us,
        processor_us: used.as_secs_f64() * 1e6 / requests,
    })
}

/// The 99th percentile on one kept-alive connection with pauses, in microseconds.
pub fn slow(contestant: &Contestant, path: &str) -> anyhow::Result<f64> {
    let mut client = Client::connect(contestant.port)?;
    let mut times = Vec::with_capacity(SLOW_REQUESTS);
    for _ in 0..SLOW_REQUESTS {
        std::thread::sleep(SLOW_PAUSE);
        times.push(client.get(path)?.as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[SLOW_REQUESTS * 99 / 100 - 1])
}
