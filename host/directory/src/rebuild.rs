//! `praxis rebuild`: the index of the search, or the bitmap, made anew beside the one that answers, and put
//! in its place.

mod answers;
mod compare;
mod level;
mod remote;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use self::answers::{Beside, Done, Generation, Pages, Range, Role, State, numbered, page, ranges};
use self::compare::Findings;
use self::remote::Remote;

/// Of those that a log does not contain.
const NAMED_MAX: usize = 20;
/// 128 + SIGINT, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("act").required(true)))]
pub struct Arguments {
    /// What is made anew.
    what: What,
    /// Make it anew: of the database as it is now, or of the events that the log still has.
    #[arg(long, group = "act")]
    from: Option<Source>,
    /// Let the one before answer again; the one that does now is kept.
    #[arg(long, group = "act")]
    rollback: bool,
    /// Take away the one before: there is no way back then.
    #[arg(long, group = "act")]
    drop_old: bool,
    /// Take away what is being built.
    #[arg(long, group = "act")]
    drop: bool,
    /// Go on with what was begun and not ended.
    #[arg(long, conflicts_with_all = ["rollback", "drop_old", "drop"])]
    resume: bool,
    /// Switch even if the log did not contain everything.
    #[arg(long, conflicts_with_all = ["rollback", "drop_old", "drop"])]
    switch_incomplete: bool,
    /// Take it away at once if it is not as the database, instead of keeping it for a look.
    #[arg(long, conflicts_with_all = ["rollback", "drop_old", "drop"])]
    drop_if_different: bool,
    /// How many pages are asked for at one time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=16))]
    in_flight: u16,
    /// How many seconds the consumers may take to handle what has come meanwhile.
    #[arg(long, default_value_t = 900)]
    level_seconds: u64,
    /// The consumer group that keeps it up to date; by default the one whose name ends with it.
    #[arg(long)]
    group: Option<String>,
    /// Where Praxis runs.
    #[arg(long, env = "PRAXIS_URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// A token of an operator: see `praxis token`.
    #[arg(long, env = "PRAXIS_TOKEN", hide_env_values = true)]
    token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The documents that are searched.
    Search,
    /// The bitmap of free hours.
    Availability,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The database.
    Snapshot,
    /// The events of the last days, as long as the topics are kept.
    Log,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let rebuild = Rebuild {
        remote: Remote::new(&arguments.url, &arguments.token)?,
        arguments: &arguments,
    };
    tokio::select! {
        done = rebuild.run() => done,
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            let what = arguments.what;
            eprintln!(
                "interrupted: what answers is as it was. If something is being built, it is kept up to \
                 date: `praxis rebuild {what} --from … --resume` goes on with it, `--drop` takes it away"
            );
            std::process::exit(EXIT_INTERRUPTED)
        }
    }
}

struct Rebuild<'a> {
    remote: Remote<'a>,
    arguments: &'a Arguments,
}

impl Rebuild<'_> {
    async fn run(&self) -> anyhow::Result<()> {
        let arguments = self.arguments;
        match arguments.from {
            Some(source) => self.anew(source).await,
            None if arguments.rollback => self.roll_back().await,
            None if arguments.drop_old => self.drop_beside(Role::Previous).await,
            None => self.drop_beside(Role::Building).await,
        }
    }

    async fn anew(&self, source: Source) -> anyhow::Result<()> {
        let what = self.arguments.what;
        let group = self.group().await?;
        let generation = self.begin().await?;
        let pages: Pages = self.remote.get(&self.path("/pages"), &[]).await?;
        let ranges = ranges(pages.ends);
        match source {
            Source::Snapshot => self.load(generation, pages.total, &ranges).await?,
            Source::Log => self.replay(&group).await?,
        }
        let begun = Instant::now();
        self.level(&group).await?;
        println!("level with the log after {:.1?}", begun.elapsed());
        let begun = Instant::now();
        let findings = self
            .compare(generation, &group, pages.total, ranges)
            .await?;
        println!("{findings} in {:.1?}", begun.elapsed());
        let incomplete = match source {
            Source::Snapshot => findings.different(),
            // Of what is not there at all, only the log is to blame.
            Source::Log => findings.incomplete(),
        };
        if !incomplete.is_empty() {
            self.refuse(source, generation, &findings, &incomplete)
                .await?;
        }
        self.switch(generation).await?;
        println!(
            "generation {generation} answers now; the one before is kept: `praxis rebuild {what} \
             --rollback` is the way back, `--drop-old` takes it away"
        );
        Ok(())
    }

    /// Fails, unless it is to be switched all the same.
    async fn refuse(
        &self,
        source: Source,
        generation: u64,
        findings: &Findings,
        incomplete: &[String],
    ) -> anyhow::Result<()> {
        for line in findings.lines().take(NAMED_MAX) {
            println!("{line}");
        }
        let count = incomplete.len();
        if source == Source::Log {
            println!(
                "the log did not contain all of {count} practitioners: {}{}",
                incomplete[..count.min(NAMED_MAX)].join(" "),
                if count > NAMED_MAX { " …" } else { "" },
            );
            if self.arguments.switch_incomplete {
                return Ok(());
            }
        }
        if self.arguments.drop_if_different {
            self.remove(generation).await?;
            bail!("not switched: {count} practitioners are not as in the database; it is gone");
        }
        let what = self.arguments.what;
        bail!(
            "not switched: {count} practitioners are not as in the database. Generation {generation} is \
             kept for a look; `praxis rebuild {what} --drop` takes it away"
        )
    }

    async fn begin(&self) -> anyhow::Result<u64> {
        let what = self.arguments.what;
        let state = self.state().await?;
        match (state.beside, self.arguments.resume) {
            (
                Some(Beside {
                    generation,
                    role: Role::Building,
                }),
                true,
            ) => {
                println!("{what}: going on with generation {generation}");
                return Ok(generation);
            }
            (
                Some(Beside {
                    generation,
                    role: Role::Building,
                }),
                false,
            ) => bail!(
                "generation {generation} is being built already: `--resume` goes on with it, \
                 `praxis rebuild {what} --drop` takes it away"
            ),
            (_, true) => bail!("nothing is being built that could be resumed"),
            (
                Some(Beside {
                    generation,
                    role: Role::Previous,
                }),
                false,
            ) => {
                println!("{what}: generation {generation} goes, which was kept for a way back");
                self.remove(generation).await?;
            }
            (None, false) => {}
        }
        let begun: Generation = self.remote.post(&self.path(""), &[]).await?;
        let (generation, current) = (begun.generation, state.current);
        println!("{what}: generation {generation} is begun; {current} answers");
        Ok(generation)
    }

    /// From the database, several pages at one time.
    async fn load(&self, generation: u64, total: u64, ranges: &[Range]) -> anyhow::Result<()> {
        let bar = bar(total, "loaded");
        let begun = Instant::now();
        let path = self.path("/load");
        let pages = ranges.iter().map(async |range| {
            let mut after = range.0.clone();
            loop {
                let query = page(generation, after.as_deref(), range.1.as_deref());
                let done: Done = self.remote.post(&path, &query).await?;
                bar.inc(done.done);
                match done.next_cursor {
                    Some(cursor) => after = Some(cursor),
                    None => return anyhow::Ok(()),
                }
            }
        });
        let in_flight = self.arguments.in_flight.into();
        let all = stream::iter(pages).buffer_unordered(in_flight);
        all.try_collect::<Vec<()>>().await?;
        let (loaded, took) = (bar.position(), begun.elapsed());
        bar.finish_and_clear();
        let rate = loaded as f64 / took.as_secs_f64().max(f64::EPSILON);
        println!("loaded {loaded} in {took:.1?}, {rate:.0} a second");
        Ok(())
    }

    /// Asks the group to handle all of its topics again.
    async fn replay(&self, group: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Replayed {
            items: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            from: u64,
            to: u64,
            begins: Option<String>,
        }
        for topic in self.topics(group).await? {
            let path = format!("/v1/ops/consumers/{group}/replay");
            let body = json!({ "topic": topic, "partition": null, "from": "earliest" });
            let asked: Replayed = self
                .remote
                .send(Method::POST, &path, &[], Some(&body))
                .await?;
            let events: u64 = asked.items.iter().map(|item| item.to - item.from).sum();
            let begins = asked.items.iter().filter_map(|item| item.begins.as_deref());
            match begins.min() {
                Some(begins) => println!(
                    "{topic}: {events} events again; it begins at {begins}, and can't contain what was \
                     before"
                ),
                None => println!("{topic}: it has no events, so it contains nothing"),
            }
        }
        Ok(())
    }

    /// Where something was away just then, it may be done though it was said not to be, and be refused when it
    /// is asked again: what is there decides.
    async fn switch(&self, generation: u64) -> anyhow::Result<()> {
        let (path, query) = (self.path("/switch"), numbered(generation));
        let switched = self.remote.post::<Generation>(&path, &query);
        let Err(error) = switched.await else {
            return Ok(());
        };
        match self.state().await {
            Ok(state) if state.current == generation => Ok(()),
            _ => Err(error),
        }
    }

    async fn roll_back(&self) -> anyhow::Result<()> {
        let generation = self.beside(Role::Previous).await?;
        self.switch(generation).await?;
        println!("generation {generation} answers again; the other one is kept");
        Ok(())
    }

    async fn drop_beside(&self, role: Role) -> anyhow::Result<()> {
        let generation = self.beside(role).await?;
        self.remove(generation).await?;
        println!("generation {generation} is gone");
        Ok(())
    }

    async fn beside(&self, wanted: Role) -> anyhow::Result<u64> {
        let state = self.state().await?;
        let beside = state.beside.filter(|beside| beside.role == wanted);
        let missing = match wanted {
            Role::Building => "nothing is being built",
            Role::Previous => "there is no generation before the one that answers",
        };
        Ok(beside.context(missing)?.generation)
    }

    /// As for `switch`, what is there decides; what is left of a bitmap then goes by itself, in seven days.
    async fn remove(&self, generation: u64) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let query = page(generation, after.as_deref(), None);
            let path = self.path("");
            let removed = self
                .remote
                .send::<Done>(Method::DELETE, &path, &query, None);
            let done = match removed.await {
                Ok(done) => done,
                Err(error) => {
                    return match self.state().await {
                        Ok(state) if !state.has(generation) => Ok(()),
                        _ => Err(error),
                    };
                }
            };
            match done.next_cursor {
                Some(cursor) => after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    async fn state(&self) -> anyhow::Result<State> {
        self.remote.get(&self.path(""), &[]).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/ops/rebuilds/{}{rest}", self.arguments.what)
    }
}

fn bar(total: u64, verb: &'static str) -> ProgressBar {
    let style =
        format!("{{bar:40}} {{human_pos}} of {{human_len}} {verb}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&style).expect("the template is well-formed");
    let bar = ProgressBar::new(total).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Search => "search",
            Self::Availability => "availability",
        })
    }
}
