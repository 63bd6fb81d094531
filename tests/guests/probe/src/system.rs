//! Chance, time and printing, through WASI 0.2 (the standard library) and 0.3 (spin-sdk).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant, SystemTime};

use spin_sdk::time::sleep;
use spin_sdk::wasip3::{clocks, random};

use crate::{Seen, compare, done};

const SECONDS_UNTIL_2026: u64 = 1_767_225_600;

pub async fn case(case: &str) -> Seen {
    match case {
        "random" => chance(),
        "clocks" => time().await,
        "print" => print(),
        _ => Err(format!("no case {case}").into()),
    }
}

fn chance() -> Seen {
    let random = random::random::get_random_u64;
    compare(random() == random(), "false")?;
    compare(random::random::get_random_bytes(7).len(), "7")?;
    compare(random::insecure::get_insecure_random_bytes(3).len(), "3")?;
    let hash = || RandomState::new().hash_one(1);
    compare(hash() == hash(), "false")?;
    done()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock itself is what is tried"
)]
async fn time() -> Seen {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    compare(now.as_secs() > SECONDS_UNTIL_2026, "true")?;
    let started = (Instant::now(), clocks::monotonic_clock::now());
    sleep(Duration::from_millis(5)).await;
    std::thread::sleep(Duration::from_millis(5));
    compare(started.0.elapsed() >= Duration::from_millis(10), "true")?;
    let passed = clocks::monotonic_clock::now() - started.1;
    compare(passed >= 10_000_000, "true")?;
    done()
}

fn print() -> Seen {
    print!("the first ");
    println!("line");
    println!("{}", "x".repeat(20_000));
    eprintln!("of errors");
    eprint!("without an end");
    done()
}
