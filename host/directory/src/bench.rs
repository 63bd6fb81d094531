//! `praxis bench`: a share of a country's peak against a running host, all kinds of requests at one
//! time, and how long each took.
//!
//! The load is open: a request is due at its time, whether or not the one before was answered, and
//! its latency counts from then. So a server that stalls can't hide it.

mod aim;
mod client;
mod kinds;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::aim::Aim;
use self::client::Client;
use self::kinds::{Kind, Kinds};

/// A country's peak, requests a second. A booking follows a look of its own, which counts as a look.
const SEARCHES: f64 = 700.0;
const LOOKS: f64 = 200.0;
const BOOKINGS: f64 = 90.0;
const CANCELLATIONS: f64 = 20.0;
/// Bookings that are waited for in the search; they come on top.
const WATCHED: f64 = 2.0;

const SHARE_MAX: f64 = 100.0;
const SECONDS_MAX: u32 = 24 * 3_600;
/// More than so many without an answer, and there is nothing to be learned from going on.
const OPEN_MAX: usize = 20_000;

/// Looks under way while it warms up.
const WARMING_MAX: usize = 16;
const BAR: &str = "filling the bitmap {bar:30} {pos} of {len}, {per_sec}, {eta} left";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where Praxis runs; it must be a development host, since it gives the tokens.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// How much of a country's peak: that is 700 searches, 200 looks at free slots, 90 bookings and 20
    /// cancellations a second.
    #[arg(long, default_value_t = 0.1)]
    share: f64,
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// So many seconds before them the rate rises from nothing to that: how long a request took counts
    /// from then on, a failure from the beginning.
    #[arg(long, default_value_t = 10)]
    ramp: u32,
    /// The directory that was imported (NDJSON): it is searched and booked where its practitioners are.
    /// Without it, eight European cities are.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Do not look at each practitioner once before: then Redis has to be filled while it is measured.
    #[arg(long)]
    cold: bool,
    /// The same seed asks for the same things.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// At the end, once all events are handled: hold all copies against the database, and fail if one
    /// differs (`praxis audit`).
    #[arg(long)]
    audit: bool,
    /// Write the figures here too.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Who asks, for what, and how long it took.
struct Bench {
    client: Client,
    aim: Aim,
    kinds: Kinds,
}

/// What a request of each kind needs to be chosen by.
#[derive(Debug, Clone, Copy)]
enum Step {
    Search,
    Look,
    Book,
    Cancel,
    Watch,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        share,
        seconds,
        ramp,
        ..
    } = arguments;
    ensure!(
        share > 0.0 && share <= SHARE_MAX,
        "--share must be above 0, and {SHARE_MAX} at most"
    );
    ensure!(
        (1..=SECONDS_MAX).contains(&seconds),
        "--seconds must be 1 to {SECONDS_MAX}"
    );
    ensure!(ramp <= SECONDS_MAX, "--ramp must be {SECONDS_MAX} at most");
    let mut chance = ChaCha8Rng::seed_from_u64(arguments.seed);
    let client = Client::connect(arguments.url.trim_end_matches('/')).await?;
    let aim = match &arguments.directory {
        Some(path) => Aim::of_directory(path, &mut chance)?,
        None => Aim::of_cities(&client).await?,
    };
    if !arguments.cold {
        warm(&client, &aim).await?;
    }
    let pace = Pace {
        begun: Instant::now(),
        ramp: Duration::from_secs(ramp.into()),
        lasts: Duration::from_secs(seconds.into()),
    };
    let kinds = Kinds::new(pace.begun + pace.ramp)?;
    let bench = Arc::new(Bench { client, aim, kinds });
    let mut streams = JoinSet::new();
    for (step, per_second) in [
        (Step::Search, SEARCHES),
        (Step::Look, LOOKS - BOOKINGS),
        (Step::Book, BOOKINGS),
        (Step::Cancel, CANCELLATIONS),
        (Step::Watch, WATCHED),
    ] {
        let due = pace.due(per_second * share);
        let chance = ChaCha8Rng::seed_from_u64(chance.random());
        streams.spawn(Arc::clone(&bench).stream(step, due, chance));
    }
    while let Some(done) = streams.join_next().await {
        done??;
    }
    let level = bench.client.until_level().await?;
    let report = bench.kinds.report(share, seconds, level);
    print!("{report}");
    if let Some(path) = &arguments.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    if arguments.audit {
        let audit = bench.client.audit();
        let findings = audit.run(|_| (), |difference| println!("{difference}"));
        let findings = findings.await?;
        println!("{findings}");
        ensure!(findings.left == 0, "{} differences stay", findings.left);
    }
    ensure!(report.failed() == 0, "some requests failed");
    Ok(())
}

/// Looks at each practitioner once, as those who came before have.
async fn warm(client: &Client, aim: &Aim) -> anyhow::Result<()> {
    let practitioners = aim.practitioners();
    let bar = ProgressBar::new(practitioners.len().try_into()?);
    bar.set_style(ProgressStyle::with_template(BAR)?);
    let looks = futures::stream::iter(practitioners).map(|practitioner| async {
        let looked = client.look(practitioner).await;
        bar.inc(1);
        looked.map(drop)
    });
    let warmed = looks.buffer_unordered(WARMING_MAX).try_collect::<()>();
    let warmed = warmed.await;
    bar.finish_and_clear();
    warmed.map_err(|why| anyhow::anyhow!("could not look at free slots: {why}"))
}

/// When requests are due.
#[derive(Debug, Clone, Copy)]
struct Pace {
    begun: Instant,
    ramp: Duration,
    lasts: Duration,
}

impl Pace {
    /// The times of requests that come at such a rate once it has risen evenly to it.
    fn due(self, per_second: f64) -> impl Iterator<Item = Instant> + Send {
        let ramp = self.ramp.as_secs_f64();
        let while_rising = per_second * ramp / 2.0;
        let after = move |count: f64| match count < while_rising {
            true => (2.0 * ramp * count / per_second).sqrt(),
            false => ramp + (count - while_rising) / per_second,
        };
        let until = self.begun + self.ramp + self.lasts;
        (0_u32..)
            .map(move |count| self.begun + Duration::from_secs_f64(after(count.into())))
            .take_while(move |due| *due < until)
    }
}

impl Bench {
    /// Requests of one kind, each at its time.
    async fn stream(
        self: Arc<Self>,
        step: Step,
        due: impl Iterator<Item = Instant> + Send,
        mut chance: ChaCha8Rng,
    ) -> anyhow::Result<()> {
        let mut open = JoinSet::new();
        for due in due {
            sleep_until(due).await;
            let chance = ChaCha8Rng::seed_from_u64(chance.random());
            open.spawn(Arc::clone(&self).take(step, due, chance));
            while let Some(done) = open.try_join_next() {
                done??;
            }
            ensure!(
                open.len() < OPEN_MAX,
                "{OPEN_MAX} requests have no answer: the host can't keep up"
            );
        }
        while let Some(done) = open.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn take(
        self: Arc<Self>,
        step: Step,
        due: Instant,
        mut chance: ChaCha8Rng,
    ) -> anyhow::Result<()> {
        let Self { client, aim, kinds } = &*self;
        match step {
            Step::Search => {
                let wanted = aim.search(&mut chance);
                let answer = client.search(&wanted).await;
                kinds.note(Kind::Search, due, answer.map(drop))
            }
            Step::Look => {
                let answer = client.look(aim.practitioner(&mut chance)).await;
                kinds.note_look(due, answer).map(drop)
            }
            Step::Book => {
                let practitioner = aim.practitioner(&mut chance);
                let answer = client.look(practitioner).await;
                let free = kinds.note_look(due, answer)?;
                let Some(slot) = free.get(chance.random_range(0..free.len().max(1))) else {
                    return Ok(());
                };
                let due = Instant::now();
                let answer = client.book(practitioner, slot, &mut chance).await;
                kinds.note(Kind::Book, due, answer.map(|booked| client.keep(booked)))
            }
            Step::Cancel => {
                let Some(booking) = client.booked(&mut chance) else {
                    return Ok(());
                };
                kinds.note(Kind::Cancel, due, client.cancel(&booking).await)
            }
            Step::Watch => {
                let wanted = aim.search(&mut chance);
                // Neither is measured here: what counts begins with the booking's answer. Nobody cancels
                // it, or the search would show the slot again.
                let Ok(found) = client.search(&wanted).await else {
                    return Ok(());
                };
                let Some(item) = found.get(chance.random_range(0..found.len().max(1))) else {
                    return Ok(());
                };
                let Some(slot) = &item.next_available_slot else {
                    return Ok(());
                };
                let booked = client.book(&item.practitioner_id, slot, &mut chance).await;
                if booked.is_err() {
                    return Ok(());
                }
                let due = Instant::now();
                let seen = client.until_moved_on(&wanted, item).await;
                kinds.note(Kind::Visible, due, seen)
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_evenly_and_stays() {
        let pace = Pace {
            begun: Instant::now(),
            ramp: Duration::from_secs(10),
            lasts: Duration::from_secs(20),
        };
        let due: Vec<_> = pace.due(100.0).collect();
        let before = |seconds| {
            let until = pace.begun + Duration::from_secs(seconds);
            due.iter().filter(|due| **due < until).count()
        };
        // A quarter of what the ramp has comes in its first half.
        assert_eq!([before(5), before(10)], [125, 500]);
        assert_eq!([before(11), before(29), due.len()], [600, 2_400, 2_500]);
        assert!(due.is_sorted());
    }
}
