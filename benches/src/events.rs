//! Events: what the host adds to a consumer that has none, how long an event takes from its commit to
//! its handler, and what memory a backlog takes.

mod backlog;
mod cluster;
mod latency;
mod log;
mod throughput;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use praxis_servers::{Durability, Server, postgres};

use crate::client::Client;
use crate::contestant::Contestant;
use crate::figures::Report;
use crate::place::Place;
use cluster::Cluster;

/// Ordering keys of every stream.
const KEYS: u64 = 1_000;
/// A divisor of `KEYS`: a key lies in the partition of its number, so all hold the same.
const PARTITIONS: u32 = 20;

pub async fn measure(
    place: &Place,
    rounds: usize,
    events: u64,
    backlog: u64,
) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut database =
        postgres::start(&folder.path().join("postgres"), Durability::Scratch).await?;
    let bench = Bench {
        place,
        folder: folder.path(),
        cluster: Cluster::start()?,
        database_url: database.url(),
    };
    let reports = bench.measure(&database, rounds, events, backlog).await;
    database.stop().await?;
    reports
}

/// What the measurements share: one broker and one database.
struct Bench<'a> {
    place: &'a Place,
    folder: &'a Path,
    cluster: Cluster,
    database_url: String,
}

/// Where events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adapter {
    Kafka,
    Postgres,
}

/// An application of one consumer that does nothing.
#[derive(Debug, Clone, Copy)]
struct Application<'a> {
    /// Of the contestant.
    name: &'static str,
    adapter: Adapter,
    /// Whether the host has the database, and with it the outbox.
    with_database: bool,
    topic: &'a str,
    group: &'a str,
    /// One of the guests that do nothing.
    component: &'a str,
    /// As the manifest names them: `fresh` or `reused`.
    instances: &'a str,
    /// What the host logs.
    log: &'a str,
}

impl Bench<'_> {
    async fn measure(
        &self,
        database: &Server,
        rounds: usize,
        events: u64,
        backlog: u64,
    ) -> anyhow::Result<Vec<Report>> {
        self.place.migrate(&[("DATABASE_URL", database.url())])?;
        Ok(vec![
            throughput::measure(self, rounds, events)?,
            latency::measure(self).await?,
            backlog::measure(self, backlog).await?,
        ])
    }

    fn start(&self, application: Application<'_>) -> anyhow::Result<Contestant> {
        let manifest = self.folder.join(format!("{}.toml", application.group));
        fs::write(&manifest, self.manifest(application)?)?;
        let mut services = vec![("RUST_LOG", application.log.to_owned())];
        if application.with_database {
            services.push(("DATABASE_URL", self.database_url.clone()));
        }
        if application.adapter == Adapter::Kafka {
            services.push(("KAFKA_BROKERS", self.cluster.bootstrap()));
        }
        Contestant::praxis(
            application.name,
            self.place,
            self.folder,
            &manifest,
            "/metrics",
            &services,
        )
    }

    fn manifest(&self, application: Application<'_>) -> anyhow::Result<String> {
        let Application {
            topic,
            group,
            component,
            instances,
            ..
        } = application;
        let source = self.place.component(component)?.display().to_string();
        let services = if application.with_database {
            "\"postgres\""
        } else {
            ""
        };
        Ok(format!(
            "spin_manifest_version = 2\n\
             [application]\nname = \"events\"\nversion = \"0.1.0\"\n\
             [application.trigger.kafka.topics]\n\
             {topic} = {{ partitions = {PARTITIONS}, retention_hours = 24, replication = 1, min_insync_replicas = 1 }}\n\
             [application.tool.praxis]\nservices = [{services}]\noperations = true\n\
             [[trigger.kafka]]\ntopic = {topic:?}\ncomponent = {component:?}\ngroup = {group:?}\n\
             [component.{component}]\nsource = {source:?}\n\
             [component.{component}.tool.praxis]\ninstances = {instances:?}\n"
        ))
    }
}

/// How many events a contestant has handled, as it says itself.
fn handled(client: &mut Client) -> anyhow::Result<u64> {
    let text = client.text("/metrics")?;
    let mut total = 0;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("event_handled_total") else {
            continue;
        };
        let value = rest.rsplit(' ').next().context("a metric has no value")?;
        total += value.parse::<u64>()?;
    }
    Ok(total)
}
