//! The hosts of a run: some die, some come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail};
use praxis_tests::wait;
use tokio::time::Instant;

use crate::host::{self, Host, Setup};
use crate::operations::{Consumed, Operations};

/// How long the others may take to go on with what a host left behind: a dead member of a Kafka
/// group is noticed after 10 s, and an event that is tried again and again holds up the offset.
const TAKEN_OVER_MS_MAX: u64 = 90_000;
const ANSWER_MS_MAX: u64 = 30_000;

pub struct Fleet {
    setup: Setup,
    operations: Operations,
    hosts: BTreeMap<usize, Host>,
    started: usize,
    /// Of all hosts that were started.
    names: Vec<String>,
    /// Hosts that ended without being told to.
    pub fallen: Vec<String>,
}

impl Fleet {
    pub fn new(setup: Setup, operations: Operations) -> Self {
        Self {
            setup,
            operations,
            hosts: BTreeMap::new(),
            started: 0,
            names: Vec::new(),
            fallen: Vec::new(),
        }
    }

    /// Starts one more, and says its name.
    pub async fn start(&mut self) -> anyhow::Result<String> {
        self.started += 1;
        let name = format!("host-{}", self.started);
        self.names.push(name.clone());
        let host = Host::start(&self.setup, &name, &self.operations).await?;
        self.hosts.insert(self.started, host);
        Ok(name)
    }

    /// Where the first host keeps its issuer, the others have it too.
    pub async fn sign_in(&mut self) -> anyhow::Result<()> {
        let data = self.setup.folder.join("data");
        self.operations.sign_in(&self.setup.praxis, &data).await
    }

    /// The host that has been there longest, taken out of the fleet.
    pub fn take_oldest(&mut self) -> anyhow::Result<Host> {
        let oldest = self.hosts.pop_first();
        let (_, host) = oldest.context("there is no host left")?;
        Ok(host)
    }

    /// A host that was taken out, as the youngest.
    pub fn put_back(&mut self, host: Host) {
        self.started += 1;
        self.hosts.insert(self.started, host);
    }

    /// Asks one host after the other until one answers.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFn(&Operations, &str) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut failure = None;
        for host in self.hosts.values() {
            match question(&self.operations, &host.base).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => bail!("there is no host left"),
        }
    }

    /// The same, again and again.
    pub async fn ask_soon<T>(
        &self,
        what: &str,
        question: impl AsyncFn(&Operations, &str) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let within = Duration::from_millis(ANSWER_MS_MAX);
        wait::until(&format!("a host {what}"), within, async || {
            self.ask(&question).await
        })
        .await
    }

    /// How far the groups are, as any of the hosts says.
    pub async fn consumed(&self) -> anyhow::Result<Vec<Consumed>> {
        self.ask(async |operations, base| operations.consumed(base).await)
            .await
    }

    pub async fn consumed_soon(&self) -> anyhow::Result<Vec<Consumed>> {
        let question = async |operations: &Operations, base: &str| operations.consumed(base).await;
        self.ask_soon("tells how far the groups are", question)
            .await
    }

    /// How far the groups are, once the hosts that are left read all partitions: by then whoever had
    /// one before commits no more.
    async fn consumed_by_all(&self) -> anyhow::Result<Vec<Consumed>> {
        let within = Duration::from_millis(TAKEN_OVER_MS_MAX);
        wait::until("every partition has a reader", within, async || {
            let mut read = BTreeSet::new();
            let mut last = Vec::new();
            for host in self.hosts.values() {
                let consumed = self.operations.consumed(&host.base).await;
                last = consumed.map_err(|error| format!("{error:#}"))?;
                let here = last.iter().filter(|partition| partition.here.is_some());
                read.extend(here.map(|at| (at.group.clone(), at.partition)));
            }
            match last.len().saturating_sub(read.len()) {
                0 if !last.is_empty() => Ok(last),
                left => Err(format!("{left} have none")),
            }
        })
        .await
    }

    /// Waits until both groups go on in every partition that had something left to do, whoever had
    /// it; says how long that took.
    pub async fn taken_over(&self) -> anyhow::Result<Duration> {
        let since = Instant::now();
        let mut waiting = self.consumed_by_all().await?;
        waiting.retain(|partition| partition.lag > 0);
        let within = Duration::from_millis(TAKEN_OVER_MS_MAX);
        wait::until("the others take over", within, async || {
            let consumed = self
                .consumed()
                .await
                .map_err(|error| format!("{error:#}"))?;
            let goes_on = |then: &Consumed| {
                let mut now = consumed.iter();
                now.any(|now| {
                    (&now.group, now.partition) == (&then.group, then.partition)
                        && now.committed > then.committed
                })
            };
            waiting.retain(|then| !goes_on(then));
            match waiting.len() {
                0 => Ok(()),
                partitions => Err(format!("{partitions} partitions stand still")),
            }
        })
        .await?;
        Ok(since.elapsed())
    }

    /// Whether any host says that it cannot work now.
    pub async fn any_unready(&self) -> Result<(), String> {
        for host in self.hosts.values() {
            if self.operations.ready(&host.base).await.is_err() {
                return Ok(());
            }
        }
        Err("all hosts say that they are ready".to_owned())
    }

    /// What each host of the run has written, by its name.
    pub fn logs(&self) -> anyhow::Result<Vec<(String, String)>> {
        let read = |name: String| {
            let log = host::log(&self.setup, &name);
            let text = fs::read_to_string(&log);
            let text = text.with_context(|| format!("could not read {}", log.display()))?;
            Ok((name, text))
        };
        self.names.iter().cloned().map(read).collect()
    }

    /// Notes the hosts that ended by themselves.
    pub fn look_after(&mut self) -> anyhow::Result<()> {
        for host in self.hosts.values_mut() {
            if let Some(status) = host.ended()? {
                let log = host.log_tail();
                let name = &host.name;
                self.fallen
                    .push(format!("{name} ended by itself ({status}):\n{log}"));
            }
        }
        let mut running = BTreeMap::new();
        for (number, mut host) in std::mem::take(&mut self.hosts) {
            if host.ended()?.is_none() {
                running.insert(number, host);
            }
        }
        self.hosts = running;
        Ok(())
    }

    /// Stops all of them in order; says what went wrong.
    pub async fn stop(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (_, host) in std::mem::take(&mut self.hosts) {
            if let Err(error) = host.stop().await {
                wrong.push(format!("{error:#}"));
            }
        }
        wrong
    }
}
