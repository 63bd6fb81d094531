//! The adapters that the configuration names: the only place that chooses between products.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use crate::capabilities::Capability;
use crate::capabilities::delivery::catcher::Catcher;
use crate::capabilities::delivery::smtp::Smtp;
use crate::capabilities::delivery::{EmailChannel, PushChannel, SendEmail, SmsChannel};
use crate::capabilities::events::Broker;
use crate::capabilities::events::kafka::{self, Kafka};
use crate::capabilities::events::postgres::Log;
use crate::capabilities::events::producer::Producer;
use crate::capabilities::index::embedded::Embedded;
use crate::capabilities::index::opensearch::Opensearch;
use crate::capabilities::index::{self, Index, Indexes};
use crate::capabilities::key_value::KeyValue;
use crate::capabilities::key_value::redis::OnRedis;
use crate::capabilities::outbound::{self, Outbound};
use crate::capabilities::postgres::Postgres;
use crate::capabilities::redis::{self, Redis};
use crate::capabilities::variables::Variables;
use crate::clock;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::triggers::http::operations::{Dependency, Probe};
use crate::triggers::relay::backlog;

const INDEX_FOLDER: &str = "index";
/// Says what mails point to; in development the host knows it by itself.
const PUBLIC_URL_VARIABLE: &str = "SPIN_VARIABLE_PUBLIC_URL";
const MAIL_FOLDER: &str = "mail";
/// The host's own connections: the event log, the relay, timers. Components have theirs.
const HOST_CONNECTIONS_MAX: u32 = 16;
const HOST_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const HOST_STATEMENT_TIMEOUT: &str = "30s";
const HOST_LOCK_TIMEOUT: &str = "10s";

/// Everything that is shared by all components, and the capabilities made of it.
pub struct Services {
    pub pool: PgPool,
    pub broker: Arc<dyn Broker>,
    pub capabilities: Vec<Arc<dyn Capability>>,
    /// In development, where mail is kept.
    pub catcher: Option<Arc<Catcher>>,
    index: Indexes,
    redis: Arc<redis::Server>,
}

impl Services {
    /// Chooses and opens; nothing waits for a server that is down.
    pub async fn connect(
        config: &Config,
        manifest: &Manifest,
        development: bool,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let database_url = config.database_url.as_deref();
        let database_url =
            database_url.context("DATABASE_URL is not set: say where PostgreSQL is")?;
        let redis_url = config.redis_url.clone();
        let redis_url = redis_url.context("REDIS_URL is not set: say where Redis is")?;
        let database: PgConnectOptions = database_url
            .parse()
            .context("DATABASE_URL is not an address of PostgreSQL")?;
        let pool = PgPoolOptions::new()
            .max_connections(HOST_CONNECTIONS_MAX)
            .acquire_timeout(HOST_ACQUIRE_TIMEOUT)
            .connect_lazy_with(database.options([
                ("statement_timeout", HOST_STATEMENT_TIMEOUT),
                ("lock_timeout", HOST_LOCK_TIMEOUT),
            ]));
        let broker: Arc<dyn Broker> = match &config.kafka_brokers {
            Some(brokers) => {
                let options = kafka::Options::new(brokers, &config.topic_prefix);
                Arc::new(Kafka::new(options)?)
            }
            None => Log::start(pool.clone(), &config.topic_prefix, stop.clone()),
        };
        let index = indexes(config, manifest)?;
        let (email, catcher) = mail(config, development)?;

        let mut known = BTreeMap::from([
            ("database_url".to_owned(), database_url.to_owned()),
            ("redis_url".to_owned(), redis_url.clone()),
        ]);
        let is_named = std::env::var_os(PUBLIC_URL_VARIABLE).is_some();
        if development && !is_named && config.listen.port() != 0 {
            known.insert("public_url".into(), format!("http://{}", config.listen));
        }
        let variables = Variables::resolve(manifest, |name| std::env::var(name).ok(), &known)?;
        let variables = Arc::new(variables);
        let outbound = Arc::new(Outbound::resolve(manifest, &variables)?);
        let sms = catcher.clone().map(|catcher| catcher as _);
        let push = catcher.clone().map(|catcher| catcher as _);
        let capabilities: Vec<Arc<dyn Capability>> = vec![
            Arc::new(outbound::Http::new(
                Arc::clone(&outbound),
                outbound::Networks::default(),
            )),
            Arc::new(Postgres::new(Arc::clone(&outbound))),
            Arc::new(Redis::new(outbound)),
            variables,
            Arc::new(KeyValue::new(Arc::new(OnRedis::new(&redis_url)?))),
            Arc::new(Producer::new(Arc::clone(&broker))),
            Arc::new(index.clone()),
            Arc::new(EmailChannel::new(email)),
            Arc::new(SmsChannel::new(sms)),
            Arc::new(PushChannel::new(push)),
        ];
        Ok(Self {
            pool,
            broker,
            capabilities,
            catcher,
            index,
            redis: Arc::new(redis::Server::new(&redis_url)?),
        })
    }
}

fn indexes(config: &Config, manifest: &Manifest) -> anyhow::Result<Indexes> {
    let schemas = index::schemas(&manifest.application.tool.praxis.indexes)?;
    let product: Arc<dyn Index> = match &config.opensearch_url {
        Some(url) => Arc::new(Opensearch::new(url, &config.index_prefix, &schemas)?),
        None => {
            let folder = config.data_dir.join(INDEX_FOLDER);
            Arc::new(Embedded::open(&folder, &config.index_prefix, &schemas)?)
        }
    };
    Ok(Indexes::new(schemas, product))
}

/// Who takes the mail, and in development who keeps what others would send.
type Mail = (Arc<dyn SendEmail>, Option<Arc<Catcher>>);

fn mail(config: &Config, development: bool) -> anyhow::Result<Mail> {
    let catcher = if development {
        let folder = config.data_dir.join(MAIL_FOLDER);
        Some(Arc::new(Catcher::open(
            &folder,
            &config.mail_from,
            clock::now,
        )?))
    } else {
        None
    };
    let email: Arc<dyn SendEmail> = match (&config.smtp_url, &catcher) {
        (Some(url), _) => Arc::new(Smtp::new(url, &config.mail_from)?),
        (None, Some(catcher)) => Arc::clone(catcher) as _,
        (None, None) => bail!("SMTP_URL is not set: say which mail server sends"),
    };
    Ok((email, catcher))
}

impl Services {
    /// How each dependency is asked for its health.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let postgres = probe(self.pool.clone(), |pool| async move {
            let asked = sqlx::query("select 1").execute(&pool).await;
            asked.map(|_| Value::Null).map_err(text)
        });
        let redis = probe(Arc::clone(&self.redis), |server| async move {
            redis::health(&server).await.map(|()| Value::Null)
        });
        let events = probe(Arc::clone(&self.broker), |broker| async move {
            broker.health().await.map(|()| Value::Null).map_err(text)
        });
        let index = probe(self.index.clone(), |index| async move {
            index.health().await.map(|()| Value::Null).map_err(text)
        });
        let outbox = probe(self.pool.clone(), |pool| async move {
            let waiting = backlog(&pool).await.map_err(text)?;
            Ok(json!({ "events": waiting.events, "oldest_ms": waiting.oldest_ms }))
        });
        let dependency = |name, essential, probe| Dependency {
            name,
            essential,
            probe,
        };
        vec![
            dependency("postgres", true, postgres),
            dependency("redis", false, redis),
            dependency("events", false, events),
            dependency("index", false, index),
            dependency("outbox", false, outbox),
        ]
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
