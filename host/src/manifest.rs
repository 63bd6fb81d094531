//! `spin.toml`, read once and validated once: https://spinframework.dev/manifest-reference, version 2.

pub mod network;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// The whole manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub spin_manifest_version: u32,
    pub application: Application,
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub trigger: Triggers,
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
    /// The folder that holds the file: relative paths start there.
    #[serde(skip)]
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub name: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub authors: Vec<String>,
    #[serde(default)]
    pub trigger: ApplicationTriggers,
    #[serde(default)]
    pub tool: ApplicationTools,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationTriggers {
    #[serde(default)]
    pub kafka: Topics,
    #[serde(default)]
    pub redis: RedisDefaults,
}

/// What holds for every `[[trigger.redis]]` that does not say otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisDefaults {
    /// A template: `{{ name }}` stands for a variable.
    #[serde(default)]
    pub address: Option<String>,
}

/// The topics that the application needs: made at start-up if they are not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    #[serde(default)]
    pub topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub partitions: u32,
    pub retention_hours: u32,
    /// Copies, where the cluster has that many brokers.
    #[serde(default = "one")]
    pub replication: u32,
    #[serde(default = "one")]
    pub min_insync_replicas: u32,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationTools {
    #[serde(default)]
    pub praxis: ApplicationTool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationTool {
    /// The search indexes and the type of each field.
    #[serde(default)]
    pub indexes: BTreeMap<String, BTreeMap<String, FieldType>>,
    /// Servers that the host connects to. It gives their addresses to the application's variables
    /// `database_url` and `redis_url`.
    #[serde(default)]
    pub services: Vec<Service>,
    /// How the host finds out who asks, before a component is called. Without it requests pass as
    /// they are.
    #[serde(default)]
    pub authentication: Option<Authentication>,
    /// Serve `/health`, `/metrics` and `/v1/ops` beside the application's own routes.
    #[serde(default)]
    pub operations: bool,
    /// Let `praxis up` fill the directory with invented practices.
    #[serde(default)]
    pub demo_directory: bool,
}

/// A server that an application uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    Postgres,
    Redis,
}

/// How a request's sender is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// A bearer token (RFC 6750) that is a JWT; the verified claims go on as `praxis-claims`.
    Jwt,
}

/// How an index treats a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    Keyword,
    Text,
    Number,
    Date,
    GeoPoint,
    Boolean,
    /// Kept and given back (a string), not searched.
    Stored,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    #[serde(default)]
    pub default: Option<String>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub secret: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    #[serde(default)]
    pub http: Vec<HttpTrigger>,
    #[serde(default)]
    pub kafka: Vec<KafkaTrigger>,
    #[serde(default)]
    pub cron: Vec<CronTrigger>,
    #[serde(default)]
    pub redis: Vec<RedisTrigger>,
}

/// A channel of a Redis server, and the component that gets what is published there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisTrigger {
    #[serde(default)]
    pub id: Option<String>,
    /// A template; by default `[application.trigger.redis]` says it.
    #[serde(default)]
    pub address: Option<String>,
    /// A template.
    pub channel: String,
    pub component: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    #[serde(default)]
    pub id: Option<String>,
    pub route: Route,
    pub component: String,
}

/// Where a component answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Route {
    /// `/exact`, `/:name`, `/rest/...`.
    Public(String),
    /// `{ private = true }`: no path leads there, only other components do.
    Private { private: bool },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTrigger {
    #[serde(default)]
    pub id: Option<String>,
    pub topic: String,
    pub component: String,
    /// The consumer group; by default the application's name, a dot and the component's.
    #[serde(default)]
    pub group: Option<String>,
    /// Tries before an event is a dead letter.
    #[serde(default = "attempts_max")]
    pub max_attempts: u32,
}

fn attempts_max() -> u32 {
    12
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronTrigger {
    #[serde(default)]
    pub id: Option<String>,
    pub component: String,
    /// Six fields, seconds first, in UTC: `0 * * * * *` is every minute.
    pub schedule: String,
    /// The `kind` of the event that the component gets.
    pub kind: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its id: the name of its table in the manifest.
    #[serde(skip)]
    pub id: String,
    pub source: PathBuf,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// The component's variables: templates over the application's, `{{ name }}`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub build: Option<Build>,
    #[serde(default)]
    pub tool: ComponentTools,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub command: String,
    #[serde(default)]
    pub workdir: Option<PathBuf>,
    #[serde(default)]
    pub watch: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentTools {
    #[serde(default)]
    pub praxis: ComponentTool,
}

/// What of ours the component may use: `[component.X.tool.praxis]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentTool {
    /// Topics that it may publish to.
    #[serde(default)]
    pub publishes: Vec<String>,
    /// Indexes that it may read and write.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// Channels that it may send on.
    #[serde(default)]
    pub delivery: Vec<Channel>,
    /// Linear memory, at most.
    #[serde(default)]
    pub memory_bytes_max: Option<usize>,
    /// Wall-clock time for one request.
    #[serde(default)]
    pub request_timeout_ms: Option<u64>,
    /// Wall-clock time for one event.
    #[serde(default)]
    pub event_timeout_ms: Option<u64>,
    /// Instructions, roughly, for one instance; without it none are counted.
    #[serde(default)]
    pub fuel_max: Option<NonZeroU64>,
    /// Requests that are worked on at one time.
    #[serde(default)]
    pub requests_in_flight_max: Option<NonZeroU32>,
    /// Requests that wait for one of those places.
    #[serde(default)]
    pub requests_queued_max: Option<u32>,
    /// How long they wait.
    #[serde(default)]
    pub queue_timeout_ms: Option<u64>,
    /// What a request's body may hold.
    #[serde(default)]
    pub body_bytes_max: Option<u64>,
    /// Requests that an instance answers, one after the other, before a fresh one takes its place.
    #[serde(default)]
    pub requests_per_instance_max: Option<NonZeroU32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    Email,
    Sms,
    Push,
}

impl Manifest {
    /// Reads and checks the file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read the manifest {}", path.display()))?;
        let mut manifest =
            Self::parse(&text).with_context(|| format!("in the manifest {}", path.display()))?;
        manifest.folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(manifest)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut manifest: Self = toml::from_str(text)?;
        ensure!(
            manifest.spin_manifest_version == 2,
            "spin_manifest_version is {}: only 2 is known",
            manifest.spin_manifest_version
        );
        for (id, component) in &mut manifest.component {
            component.id.clone_from(id);
        }
        manifest.check_references()?;
        Ok(manifest)
    }

    fn check_references(&self) -> anyhow::Result<()> {
        let http = self.trigger.http.iter().map(|t| ("http", &t.component));
        let kafka = self.trigger.kafka.iter().map(|t| ("kafka", &t.component));
        let cron = self.trigger.cron.iter().map(|t| ("cron", &t.component));
        let redis = self.trigger.redis.iter().map(|t| ("redis", &t.component));
        for (kind, component) in http.chain(kafka).chain(cron).chain(redis) {
            if !self.component.contains_key(component) {
                let known: Vec<_> = self.component.keys().map(String::as_str).collect();
                bail!(
                    "[[trigger.{kind}]] names the component {component:?}, which is not there; \
                     known are {}",
                    known.join(", ")
                );
            }
        }
        let topics = &self.application.trigger.kafka.topics;
        for trigger in &self.trigger.kafka {
            ensure!(
                topics.contains_key(&trigger.topic),
                "[[trigger.kafka]] reads the topic {:?}, which [application.trigger.kafka.topics] \
                 does not declare",
                trigger.topic
            );
        }
        for (id, component) in &self.component {
            for topic in &component.tool.praxis.publishes {
                ensure!(
                    topics.contains_key(topic),
                    "[component.{id}.tool.praxis] publishes to {topic:?}, which \
                     [application.trigger.kafka.topics] does not declare"
                );
            }
            for index in &component.tool.praxis.indexes {
                ensure!(
                    self.application.tool.praxis.indexes.contains_key(index),
                    "[component.{id}.tool.praxis] uses the index {index:?}, which \
                     [application.tool.praxis.indexes] does not declare"
                );
            }
        }
        Ok(())
    }

    /// A component that a trigger names.
    ///
    /// # Panics
    /// If it is not there: `load` checks every name.
    pub fn component(&self, id: &str) -> &Component {
        self.component
            .get(id)
            .expect("load checks that every trigger's component is there")
    }

    /// The consumer group of a trigger.
    pub fn group(&self, trigger: &KafkaTrigger) -> String {
        trigger
            .group
            .clone()
            .unwrap_or_else(|| format!("{}.{}", self.application.name, trigger.component))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"app\"\n";

    fn fault(rest: &str) -> String {
        format!(
            "{:#}",
            Manifest::parse(&format!("{HEAD}{rest}")).unwrap_err()
        )
    }

    #[test]
    fn the_projects_own_manifest_is_good() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let manifest = Manifest::load(&path).unwrap();
        assert_eq!(manifest.component("web").id, "web");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_line() {
        let fault = fault("[component.a]\nsource = \"a.wasm\"\nsorce = 1\n");
        assert!(
            fault.contains("sorce") && fault.contains("line 6"),
            "{fault}"
        );
    }

    #[test]
    fn a_trigger_must_name_a_component_that_is_there() {
        let fault = fault(
            "[component.a]\nsource = \"a.wasm\"\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"b\"\n",
        );
        assert!(
            fault.contains("\"b\"") && fault.contains("known are a"),
            "{fault}"
        );
    }

    #[test]
    fn a_topic_must_be_declared() {
        let component = "[component.a]\nsource = \"a.wasm\"\n";
        let read = fault(&format!(
            "{component}[[trigger.kafka]]\ntopic = \"t\"\ncomponent = \"a\"\n"
        ));
        assert!(read.contains("\"t\""), "{read}");
        let written = fault(&format!(
            "{component}[component.a.tool.praxis]\npublishes = [\"t\"]\n"
        ));
        assert!(written.contains("\"t\""), "{written}");
    }

    #[test]
    fn only_version_2_is_known() {
        let text = "spin_manifest_version = 1\n[application]\nname = \"app\"\n";
        let fault = format!("{:#}", Manifest::parse(text).unwrap_err());
        assert!(fault.contains("only 2"), "{fault}");
    }
}
