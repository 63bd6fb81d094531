//! What is done to the hosts and servers, and when: each step as soon as so much is handled.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use praxis_tests::wait;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::brokers::Brokers;
use crate::checker::Disturbance;
use crate::manifest::Component;
use crate::operations::Range;
use crate::report::Injection;
use crate::world::World;

/// How long a share of the events may take.
const SHARE_MS_MAX: u64 = 240_000;
const NOTICED_MS_MAX: u64 = 30_000;
/// How long after a host is ready its group may take to settle.
const JOIN_MS_MAX: u64 = 2_000;
/// The broker that has the most to lose.
const BROKER: i32 = 1;

/// At how many percent of the events which step comes.
const STEPS: [(usize, Step); 8] = [
    (10, Step::Kill),
    (20, Step::Start),
    (30, Step::Server),
    (45, Step::Redrive),
    (50, Step::Replay),
    (50, Step::Hang),
    (65, Step::Stop),
    (75, Step::Start),
];
/// The same, but those whose hosts have to be missed are missed at one time.
const STEPS_SHORT: [(usize, Step); 6] = [
    (10, Step::KillAndHang),
    (25, Step::Server),
    (40, Step::Redrive),
    (50, Step::Replay),
    (50, Step::Stop),
    (60, Step::Start),
];
/// How many percent are published beyond those that the next step waits for: there is always
/// something to do while a step goes on.
const AHEAD_PERCENT: usize = 10;
/// While a broker is away, the others go on with so many percent.
const AWAY_PERCENT: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A host dies, and the others have to notice.
    Kill,
    /// One more host comes.
    Start,
    /// A broker of three, or PostgreSQL, goes away and comes back.
    Server,
    /// One host dies and another hangs, until the others have taken the partitions of both.
    KillAndHang,
    /// All dead letters are redriven, and their events accepted.
    Redrive,
    /// Both components are to handle a part of a partition again.
    Replay,
    /// A host hangs so long that the others take its partitions, and then goes on as if it had them.
    Hang,
    /// A host is stopped in order.
    Stop,
}

pub struct Script<'a> {
    pub injected: Vec<Injection>,
    pub disturbances: Vec<Disturbance>,
    /// Hosts that hung until the others had their partitions.
    pub hung: Vec<String>,
    /// What was to be handled again.
    pub replays: Vec<(Component, Range)>,
    world: &'a mut World,
    events: usize,
    handled: watch::Receiver<u64>,
    /// How many events may be published by now.
    allow: watch::Sender<usize>,
    began: Instant,
}

impl<'a> Script<'a> {
    pub fn new(
        world: &'a mut World,
        events: usize,
        handled: watch::Receiver<u64>,
        allow: watch::Sender<usize>,
        began: Instant,
    ) -> Self {
        Self {
            injected: Vec::new(),
            disturbances: Vec::new(),
            hung: Vec::new(),
            replays: Vec::new(),
            world,
            events,
            handled,
            allow,
            began,
        }
    }

    pub async fn play(&mut self, short: bool) -> anyhow::Result<()> {
        let steps: &[(usize, Step)] = if short { &STEPS_SHORT } else { &STEPS };
        for (percent, step) in steps.iter().copied() {
            self.allow(self.share(percent + AHEAD_PERCENT));
            self.reach(self.share(percent)).await?;
            self.world.fleet.look_after()?;
            match step {
                Step::Kill => self.kill().await?,
                Step::KillAndHang => self.kill_and_hang().await?,
                Step::Redrive => self.redrive().await?,
                Step::Replay => self.replay().await?,
                Step::Start => self.start().await?,
                Step::Server if self.world.brokers.is_some() => self.stop_a_broker().await?,
                Step::Server => self.restart_postgres().await?,
                Step::Hang => self.hang().await?,
                Step::Stop => self.stop().await?,
            }
        }
        Ok(())
    }

    /// Lets so many events be published, if not more are already.
    fn allow(&self, events: usize) {
        self.allow
            .send_modify(|allowed| *allowed = events.max(*allowed));
    }

    fn share(&self, percent: usize) -> usize {
        self.events * percent / 100
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        let host = self.world.fleet.take_oldest()?;
        let note = self.note(format!("killed {} (SIGKILL)", host.name));
        host.kill().await?;
        self.disturbed(0);
        let took = self.world.fleet.taken_over().await?;
        self.outcome(
            note,
            format!("the others had taken over after {}", seconds(took)),
        );
        Ok(())
    }

    async fn kill_and_hang(&mut self) -> anyhow::Result<()> {
        let host = self.world.fleet.take_oldest()?;
        self.note(format!("killed {} (SIGKILL)", host.name));
        host.kill().await?;
        self.disturbed(0);
        self.hang().await
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let note = self.note("started a host".to_owned());
        let since = Instant::now();
        let name = self.world.fleet.start().await?;
        self.disturbed(JOIN_MS_MAX);
        self.outcome(
            note,
            format!("{name} was ready after {}", seconds(since.elapsed())),
        );
        Ok(())
    }

    async fn stop_a_broker(&mut self) -> anyhow::Result<()> {
        let note = self.note(format!(
            "stopped broker {BROKER} of 3, the group's coordinator"
        ));
        let since = Instant::now();
        self.brokers()?.down(BROKER)?;
        let more = self.share(AWAY_PERCENT);
        let handled = usize::try_from(*self.handled.borrow())?;
        self.allow(handled + 2 * more);
        self.reach(handled + more).await?;
        self.disturbed(0);
        self.brokers()?.up(BROKER)?;
        let took = seconds(since.elapsed());
        let outcome = format!("it came back after {more} more events, {took} later");
        self.outcome(note, outcome);
        Ok(())
    }

    fn brokers(&self) -> anyhow::Result<&Brokers> {
        self.world.brokers.as_ref().context("there are no brokers")
    }

    async fn restart_postgres(&mut self) -> anyhow::Result<()> {
        let note = self.note("stopped PostgreSQL, which sent all clients away".to_owned());
        let since = Instant::now();
        self.world.postgres.stop().await?;
        let within = Duration::from_millis(NOTICED_MS_MAX);
        let fleet = &self.world.fleet;
        wait::until(
            "a host says that it misses PostgreSQL",
            within,
            async || fleet.any_unready().await,
        )
        .await?;
        self.world.postgres.start_again().await?;
        self.disturbed(0);
        let outcome = format!("a host said so; back after {}", seconds(since.elapsed()));
        self.outcome(note, outcome);
        Ok(())
    }

    async fn hang(&mut self) -> anyhow::Result<()> {
        let host = self.world.fleet.take_oldest()?;
        let note = self.note(format!("let {} hang (SIGSTOP)", host.name));
        host.pause().await?;
        self.disturbed(0);
        let taken_over = self.world.fleet.taken_over().await;
        host.resume().await?;
        // It says itself when it learns that it lost them.
        self.hung.push(host.name.clone());
        self.world.fleet.put_back(host);
        let took = seconds(taken_over?);
        let outcome = format!("the others had taken over after {took}; then it went on");
        self.outcome(note, outcome);
        Ok(())
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        let host = self.world.fleet.take_oldest()?;
        let note = self.note(format!("stopped {} in order (SIGTERM)", host.name));
        let since = Instant::now();
        let outcome = match host.stop().await {
            Ok(()) => format!("it ended well after {}", seconds(since.elapsed())),
            Err(error) => {
                self.world.fleet.fallen.push(format!("{error:#}"));
                "it did not end well".to_owned()
            }
        };
        self.disturbed(0);
        self.outcome(note, outcome);
        Ok(())
    }

    async fn redrive(&mut self) -> anyhow::Result<()> {
        let note = self.note("redrove all dead letters, to be accepted now".to_owned());
        let fleet = &self.world.fleet;
        let letters = fleet.ask_soon("lists the dead letters", async |operations, base| {
            operations.open_letters(base).await
        });
        let letters = letters.await?;
        ensure!(!letters.is_empty(), "there is no dead letter to redrive");
        self.world.database.pardon(&letters).await?;
        let mut redriven = 0;
        loop {
            let fleet = &self.world.fleet;
            let done = fleet.ask_soon("redrives dead letters", async |operations, base| {
                operations.redrive(base).await
            });
            let done = done.await?;
            redriven += done.redriven.len();
            // Those that came meanwhile are not pardoned, and may stay.
            if redriven >= letters.len() || done.open == 0 {
                break;
            }
            ensure!(!done.redriven.is_empty(), "{} can't be redriven", done.open);
        }
        self.outcome(note, format!("{} of them", letters.len()));
        Ok(())
    }

    /// The half of a partition's events that came first, by both components.
    async fn replay(&mut self) -> anyhow::Result<()> {
        let note = self.note("asked both components to handle events again".to_owned());
        let consumed = self.world.fleet.consumed_soon().await?;
        let most = consumed.iter().max_by_key(|partition| partition.committed);
        let most = most.context("there is no partition")?;
        let (partition, from) = (most.partition, most.committed / 2);
        for component in Component::ALL {
            let fleet = &self.world.fleet;
            let ranges = fleet.ask_soon("replays", async |operations, base| {
                operations.replay(base, component, partition, from).await
            });
            let ranges = ranges.await?;
            ensure!(!ranges.is_empty(), "nothing is handled again");
            self.replays
                .extend(ranges.into_iter().map(|range| (component, range)));
        }
        let outcome = format!("those of partition {partition} from {from} on");
        self.outcome(note, outcome);
        Ok(())
    }

    /// Partitions may have lost their reader, at the latest so much later.
    fn disturbed(&mut self, later_ms: u64) {
        let at_ms = self.now_ms() + later_ms;
        self.disturbances.push(Disturbance {
            from_ms: at_ms,
            to_ms: at_ms,
        });
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until so many events are handled.
    async fn reach(&mut self, events: usize) -> anyhow::Result<()> {
        let events = events as u64;
        let within = Duration::from_millis(SHARE_MS_MAX);
        let reached = timeout(within, self.handled.wait_for(|handled| *handled >= events)).await;
        // What it saw is let go before the next look.
        let reached = reached.map(|reached| reached.map(drop));
        if let Ok(reached) = reached {
            return reached.context("nobody counts what is handled");
        }
        let handled = *self.handled.borrow();
        let seconds = within.as_secs();
        bail!("{events} events are handled: not within {seconds} s; instead: {handled}")
    }

    /// Notes what is done now; answers where.
    fn note(&mut self, what: String) -> usize {
        self.injected.push(Injection {
            at_ms: self.now_ms(),
            handled: *self.handled.borrow(),
            what,
            outcome: None,
            redelivered: 0,
        });
        self.injected.len() - 1
    }

    fn outcome(&mut self, note: usize, outcome: String) {
        self.injected[note].outcome = Some(outcome);
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
