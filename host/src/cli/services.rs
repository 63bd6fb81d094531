//! The adapters that the configuration names: the only place that chooses between products.

mod channels;
mod development_secrets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use self::channels::Channels;
use super::compose::COMPILED_FOLDER;
use super::settings::{Events, Settings};
use crate::capabilities::Capability;
use crate::capabilities::delivery::catcher::Catcher;
use crate::capabilities::events::Broker;
use crate::capabilities::events::kafka::{self, Kafka};
use crate::capabilities::events::postgres::Log;
use crate::capabilities::events::producer::Producer;
use crate::capabilities::index::embedded::Embedded;
use crate::capabilities::index::opensearch::Opensearch;
use crate::capabilities::index::{self, Index, Indexes};
use crate::capabilities::key_value::redis::OnRedis;
use crate::capabilities::key_value::{self, KeyValue, KeyValueStore};
use crate::capabilities::metrics::Metrics;
use crate::capabilities::outbound::{self, Authorities, Networks, Outbound, Sockets};
use crate::capabilities::postgres::Postgres;
use crate::capabilities::redis::{self, Redis};
use crate::capabilities::template::{self, Sandbox, Templates};
use crate::capabilities::variables::{Environment, Variables};
use crate::config::Config;
use crate::manifest::Manifest;
use crate::manifest::limits::STORE_BYTES;
use crate::triggers::http::operations::{Dependency, Probe};
use crate::triggers::relay::backlog;

const INDEX_FOLDER: &str = "index";
const KEY_VALUE_FOLDER: &str = "key-value";
/// Says what mails point to; in development the host knows it by itself.
const PUBLIC_URL_VARIABLE: &str = "SPIN_VARIABLE_PUBLIC_URL";
/// The host's own connections: the event log, the relay, timers. Components have theirs.
const HOST_CONNECTIONS_MAX: u32 = 16;
const HOST_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const HOST_STATEMENT_TIMEOUT: &str = "30s";
const HOST_LOCK_TIMEOUT: &str = "10s";
/// A host that hangs within a transaction holds up all the others: less than a lease of the log.
const HOST_IDLE_TIMEOUT: &str = "5s";

/// Everything that is shared by all components, and the capabilities made of it.
pub struct Services {
    /// The host's own connections to the application's database.
    pub pool: Option<PgPool>,
    pub broker: Option<Arc<dyn Broker>>,
    pub capabilities: Vec<Arc<dyn Capability>>,
    /// Among the capabilities, too: it is told where the application listens.
    pub http: Arc<outbound::Http>,
    /// So are these.
    pub sockets: Arc<Sockets>,
    pub variables: Arc<Variables>,
    /// In development, where mail is kept.
    pub catcher: Option<Arc<Catcher>>,
    index: Option<Indexes>,
    redis: Option<Arc<redis::Server>>,
}

impl Services {
    /// Chooses and opens; nothing waits for a server that is down.
    pub async fn connect(
        config: &Config,
        settings: &Settings,
        manifest: &Manifest,
        environment: &Environment,
        development: bool,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let pool = settings.database_url.as_deref().map(pool).transpose()?;
        let broker: Option<Arc<dyn Broker>> = match (&settings.events, &pool) {
            (
                Some(Events::Kafka {
                    brokers,
                    security,
                    session_ms,
                }),
                _,
            ) => {
                let options = kafka::Options {
                    security: security.clone(),
                    session_ms: *session_ms,
                    ..kafka::Options::new(brokers, &config.topic_prefix)
                };
                Some(Arc::new(Kafka::new(options)?))
            }
            (Some(Events::Postgres), Some(pool)) => {
                let log = Log::start(pool.clone(), &config.topic_prefix, stop.clone());
                Some(log)
            }
            (Some(Events::Postgres), None) | (None, _) => None,
        };
        let index = indexes(config, manifest)?;
        let channels = Channels::new(config, settings, development)?;
        let redis = match &settings.redis_url {
            Some(url) => Some(Arc::new(redis::Server::new(url)?)),
            None => None,
        };

        let mut known = known_variables(config, settings, development);
        if development {
            known.extend(development_secrets::made_up(
                manifest,
                environment,
                &config.data_dir,
            )?);
        }
        let variables = Variables::resolve(manifest, environment, &known)?;
        let variables = Arc::new(variables);
        let outbound = Arc::new(Outbound::resolve(manifest, &variables)?);
        let blocked = Networks::parse(config.block_networks.iter().map(String::as_str))
            .context("in PRAXIS_BLOCK_NETWORKS")?;
        let sockets = Arc::new(Sockets::new(Arc::clone(&outbound), blocked.clone()));
        let http = Arc::new(outbound::Http::new(
            Arc::clone(&outbound),
            blocked,
            authorities(config)?,
        ));
        let mut capabilities: Vec<Arc<dyn Capability>> = vec![
            Arc::clone(&http) as _,
            Arc::clone(&sockets) as _,
            Arc::new(Postgres::new(Arc::clone(&outbound))),
            Arc::new(Redis::new(outbound)),
            Arc::clone(&variables) as _,
            Arc::new(Metrics),
        ];
        if manifest
            .component
            .values()
            .any(|component| !component.key_value_stores.is_empty())
        {
            let product: Arc<dyn KeyValueStore> = match &settings.redis_url {
                Some(url) => Arc::new(OnRedis::new(url)?),
                None => Arc::new(key_value::embedded::Embedded::open(
                    &config.data_dir.join(KEY_VALUE_FOLDER),
                    manifest.application.tool.praxis.limits.of(&STORE_BYTES),
                )?),
            };
            capabilities.push(Arc::new(KeyValue::new(product)));
        }
        if let Some(broker) = &broker {
            capabilities.push(Arc::new(Producer::new(Arc::clone(broker))));
        }
        if let Some(index) = &index {
            capabilities.push(Arc::new(index.clone()));
        }
        let Channels { channels, catcher } = channels;
        capabilities.extend(channels);
        if let Some(sandbox) = sandbox(config, manifest, pool.as_ref(), stop)? {
            capabilities.push(Arc::new(Templates::new(sandbox)));
        }
        Ok(Self {
            pool,
            broker,
            capabilities,
            http,
            sockets,
            variables,
            catcher,
            index,
            redis,
        })
    }
}

/// Whom outbound HTTPS trusts.
fn authorities(config: &Config) -> anyhow::Result<Authorities> {
    match certificates(config)? {
        Some(pem) => Authorities::and(&pem).with_context(|| in_outbound_ca(config)),
        None => Ok(Authorities::default()),
    }
}

/// The certificates (PEM) of authorities besides the public ones.
fn certificates(config: &Config) -> anyhow::Result<Option<Vec<u8>>> {
    let read = config.outbound_ca.as_ref().map(std::fs::read);
    read.transpose().with_context(|| in_outbound_ca(config))
}

fn in_outbound_ca(config: &Config) -> String {
    let path = config.outbound_ca.as_deref().unwrap_or("".as_ref());
    format!("in PRAXIS_OUTBOUND_CA: {}", path.display())
}

/// The host's own connections. Nothing is sent yet.
fn pool(database_url: &str) -> anyhow::Result<PgPool> {
    let database: PgConnectOptions = database_url
        .parse()
        .context("DATABASE_URL is not an address of PostgreSQL")?;
    Ok(PgPoolOptions::new()
        .max_connections(HOST_CONNECTIONS_MAX)
        .acquire_timeout(HOST_ACQUIRE_TIMEOUT)
        .connect_lazy_with(database.options([
            ("statement_timeout", HOST_STATEMENT_TIMEOUT),
            ("lock_timeout", HOST_LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", HOST_IDLE_TIMEOUT),
            // Its statements read by keys: whatever the values, the plan is the same, and planning a
            // look into the log takes three times as long as the look.
            ("plan_cache_mode", "force_generic_plan"),
        ])))
}

/// What the host knows better than the environment.
fn known_variables(
    config: &Config,
    settings: &Settings,
    development: bool,
) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    if let Some(url) = &settings.database_url {
        known.insert("database_url".into(), url.clone());
    }
    if let Some(url) = &settings.redis_url {
        known.insert("redis_url".into(), url.clone());
    }
    let is_named = std::env::var_os(PUBLIC_URL_VARIABLE).is_some();
    if development && !is_named && config.listen.port() != 0 {
        known.insert("public_url".into(), format!("http://{}", config.listen));
    }
    known
}

fn indexes(config: &Config, manifest: &Manifest) -> anyhow::Result<Option<Indexes>> {
    let declared = &manifest.application.tool.praxis.indexes;
    if declared.is_empty() {
        return Ok(None);
    }
    let schemas = index::schemas(declared)?;
    let product: Arc<dyn Index> = match &config.opensearch_url {
        Some(url) => Arc::new(Opensearch::new(url, &config.index_prefix, &schemas)?),
        None => {
            let folder = config.data_dir.join(INDEX_FOLDER);
            Arc::new(Embedded::open(&folder, &config.index_prefix, &schemas)?)
        }
    };
    Ok(Some(Indexes::new(schemas, product)))
}

/// Where messages are made of templates, if a component may have them made.
fn sandbox(
    config: &Config,
    manifest: &Manifest,
    pool: Option<&PgPool>,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Arc<Sandbox>>> {
    let mut components = manifest.component.values();
    if !components.any(|component| component.tool.praxis.templates) {
        return Ok(None);
    }
    let renderer = manifest.template_renderer();
    let renderer = renderer.and_then(|id| manifest.component.get(id));
    let options = template::Options {
        cache_folder: config.data_dir.join(COMPILED_FOLDER),
        renderer: renderer.map(|renderer| manifest.folder.join(&renderer.source)),
        pool: pool.cloned(),
    };
    Ok(Some(Sandbox::start(options, stop)?))
}

impl Services {
    /// How each dependency is asked for its health.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        let mut add = |name, essential, probe| {
            dependencies.push(Dependency {
                name,
                essential,
                probe,
            });
        };
        if let Some(pool) = &self.pool {
            let ask = |pool: PgPool| async move {
                let asked = sqlx::query("select 1").execute(&pool).await;
                asked.map(|_| Value::Null).map_err(text)
            };
            add("postgres", true, probe(pool.clone(), ask));
        }
        if let Some(redis) = &self.redis {
            let ask = |server: Arc<redis::Server>| async move {
                redis::health(&server).await.map(|()| Value::Null)
            };
            add("redis", false, probe(Arc::clone(redis), ask));
        }
        if let Some(broker) = &self.broker {
            let ask = |broker: Arc<dyn Broker>| async move {
                broker.health().await.map(|()| Value::Null).map_err(text)
            };
            add("events", false, probe(Arc::clone(broker), ask));
        }
        if let Some(index) = &self.index {
            let ask = |index: Indexes| async move {
                index.health().await.map(|()| Value::Null).map_err(text)
            };
            add("index", false, probe(index.clone(), ask));
        }
        if let (Some(pool), Some(_)) = (&self.pool, &self.broker) {
            let ask = |pool: PgPool| async move {
                let waiting = backlog(&pool).await.map_err(text)?;
                if waiting.refused > 0 {
                    return Err(format!(
                        "the event broker refuses {} of its {} events: outbox.refused says why",
                        waiting.refused, waiting.events
                    ));
                }
                Ok(json!({ "events": waiting.events, "oldest_ms": waiting.oldest_ms }))
            };
            add("outbox", false, probe(pool.clone(), ask));
        }
        dependencies
    }
}

/// Asks a dependency that is shared: each question has a clone of its own.
fn probe<T, F>(dependency: T, ask: impl Fn(T) -> F + Send + Sync + 'static) -> Probe
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Value, String>> + Send + 'static,
{
    Arc::new(move || Box::pin(ask(dependency.clone())))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
