//! The composition root: adapters chosen by the configuration, and everything started.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::services::Services;
use super::settings::{Settings, Tokens};
use super::token::ISSUER_FOLDER;
use crate::capabilities::events::{Broker, Lag};
use crate::config::Config;
use crate::manifest::Manifest;
use crate::runtime::application::Application;
use crate::runtime::consumer::{Consumer, Handler};
use crate::runtime::deployment::{Deployments, Seats};
use crate::runtime::engine;
use crate::triggers::http::auth::{Source, Verifier};
use crate::triggers::http::chain::Chain;
use crate::triggers::http::development::Development;
use crate::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::triggers::http::operations::{Operations, Probe};
use crate::triggers::http::seating::Guests;
use crate::triggers::http::{About, Server};
use crate::triggers::kafka::watch::Watch;
use crate::triggers::relay::Relay;
use crate::triggers::{cron, kafka, redis};

pub const COMPILED_FOLDER: &str = "compiled";
const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// From a cache hit to the longest that a request may take.
const SECONDS_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// A running host.
pub struct Host {
    pub address: SocketAddr,
    pub deployments: Arc<Deployments>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Host {
    /// Starts everything that the manifest names. In development, tokens are given to anybody and
    /// mail is kept here unless a mail server is named.
    pub async fn start(
        application: Prepared,
        config: &Config,
        settings: &Settings,
        development: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let Prepared { manifest, listener } = application;
        let metrics = metrics()?;
        let services = Services::connect(config, settings, &manifest, development, &stop).await?;
        let engines = engine::start(&config.data_dir.join(COMPILED_FOLDER))?;
        let application = Application::load(&engines, &manifest, &services.capabilities)?;

        let mut seats = Seats::default();
        let groups = match &services.broker {
            Some(_) => kafka::groups(&manifest),
            None => Vec::new(),
        };
        let watch = Watch::default();
        let mut readers = Vec::new();
        for group in &groups {
            let handler = handler(&group.component, &application, &mut seats)?;
            readers.push((group.clone(), handler));
        }
        let source = match (&services.broker, &services.pool) {
            (Some(_), Some(pool)) => Some((pool, jobs(&manifest, &application, &mut seats)?)),
            (Some(_), None) | (None, _) => None,
        };
        let guests = Guests::new(&manifest, &application, &mut seats)?;
        let chain = Arc::new(Chain::new(&guests.by_component)?);
        let subscriptions = redis::subscriptions(&manifest, &services.variables, &application)?;
        for subscriber in subscriptions
            .iter()
            .flat_map(redis::Subscription::subscribers)
        {
            seats.add(&subscriber.id(), Arc::new(subscriber.clone()));
        }
        let deployments = Arc::new(Deployments::new(application, seats));

        let operations = manifest.application.tool.praxis.operations;
        let operations = operations.then(|| Operations {
            metrics: metrics.clone(),
            dependencies: services.dependencies(),
            consumers: consumers(services.broker.clone(), groups),
            deployments: Arc::clone(&deployments),
        });
        let issuer = match &settings.tokens {
            Some(_) if development => Some(Issuer::open(&config.data_dir.join(ISSUER_FOLDER))?),
            Some(_) | None => None,
        };
        let server = Server::new(
            About {
                name: manifest.application.name.clone(),
                version: manifest.application.version.clone(),
            },
            guests,
            verifier(config, settings).await?,
            operations,
            Development {
                issuer,
                catcher: services.catcher.clone(),
            },
        )?;
        let address = listener.local_addr()?;
        services.http.set_own(address);
        services.http.set_components(chain);
        if let Some(broker) = &services.broker {
            let topics = &manifest.application.trigger.kafka.topics;
            let made = broker.ensure_topics(topics).await;
            made.context("could not make the topics")?;
        }

        // Events last: whatever a component may ask for to handle one is there, and nothing fails
        // from here on.
        let tasks = TaskTracker::new();
        tasks.spawn(keep_up(metrics, stop.clone()));
        tasks.spawn(Arc::new(server).serve(listener, stop.clone()));
        if let Some(broker) = &services.broker {
            for (group, handler) in readers {
                let (broker, watch) = (Arc::clone(broker), watch.clone());
                tasks.spawn(kafka::run(broker, group, handler, watch, stop.clone()));
            }
            if let Some((pool, jobs)) = source {
                let name = &manifest.application.name;
                let relay = Relay::new(pool.clone(), Arc::clone(broker), name);
                tasks.spawn(relay.run(stop.clone()));
                let timers = cron::run(pool.clone(), Arc::clone(broker), jobs, stop.clone());
                tasks.spawn(timers);
            }
        }
        for subscription in subscriptions {
            tasks.spawn(redis::run(subscription, stop.clone()));
        }
        tasks.close();
        Ok(Self {
            address,
            deployments,
            stop,
            tasks,
        })
    }

    /// Resolves once the host was told to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until the host was told to stop and all of it has.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.tasks.wait().await;
        Ok(())
    }
}

/// What is looked at before anything is started: a manifest that is good, and a port that is free.
pub struct Prepared {
    pub manifest: Manifest,
    listener: TcpListener,
}

impl Prepared {
    pub async fn new(config: &Config, development: bool) -> anyhow::Result<Self> {
        ensure!(
            !development || config.listen.ip().is_loopback(),
            "a development host gives tokens to anybody: it listens on a loopback address only, \
             not on {}",
            config.listen
        );
        let manifest = Manifest::load(&config.manifest)?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("could not listen on {}", config.listen))?;
        Ok(Self { manifest, listener })
    }
}

/// A component that handles events, in its seat.
fn handler(
    component: &str,
    application: &Application,
    seats: &mut Seats,
) -> anyhow::Result<Arc<dyn Handler>> {
    let consumer = Consumer::new(application.component(component))?;
    seats.add(component, Arc::new(consumer.clone()));
    Ok(Arc::new(consumer))
}

/// What the timers wake.
fn jobs(
    manifest: &Manifest,
    application: &Application,
    seats: &mut Seats,
) -> anyhow::Result<Vec<cron::Job>> {
    let triggers = manifest.trigger.cron.iter();
    let jobs = triggers.map(|trigger| {
        let handler = handler(&trigger.component, application, seats)?;
        cron::Job::new(trigger, handler)
    });
    jobs.collect()
}

/// Cancelled at the first Ctrl-C or SIGTERM; a second one ends the process.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let mut seen = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if seen {
                std::process::exit(EXIT_INTERRUPTED);
            }
            seen = true;
            told.cancel();
        }
    });
    Ok(stop)
}

/// 128 + SIGINT, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

fn metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS_BUCKETS)?;
    Ok(builder.install_recorder()?)
}

/// Folds the samples that have come in since, whether or not anybody reads them.
async fn keep_up(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

async fn verifier(config: &Config, settings: &Settings) -> anyhow::Result<Option<Verifier>> {
    let verifier = match &settings.tokens {
        None => return Ok(None),
        Some(Tokens::Issued) => {
            let issuer = Issuer::open(&config.data_dir.join(ISSUER_FOLDER))?;
            Verifier::new(Source::Fixed(issuer.keys()), ISSUER.into(), AUDIENCE.into()).await?
        }
        Some(Tokens::Foreign {
            keys,
            issuer,
            audience,
        }) => Verifier::new(keys.clone(), issuer.clone(), audience.clone()).await?,
    };
    Ok(Some(verifier))
}

/// How far behind each group is, partition by partition.
fn consumers(broker: Option<Arc<dyn Broker>>, groups: Vec<kafka::Group>) -> Probe {
    Arc::new(move || {
        let broker = broker.clone();
        let groups = groups.clone();
        Box::pin(async move {
            let mut items = Vec::new();
            let Some(broker) = broker else {
                return Ok(Value::Array(items));
            };
            for group in groups {
                let topics: Vec<_> = group.topics.keys().cloned().collect();
                let lags = broker.lag(&group.name, &topics).await;
                items.extend(lags.map_err(|error| error.to_string())?.iter().map(item));
            }
            Ok(Value::Array(items))
        })
    })
}

fn item(lag: &Lag) -> Value {
    json!({
        "group": lag.group,
        "topic": lag.topic,
        "partition": lag.partition,
        "committed": lag.committed,
        "end": lag.end,
        "lag": lag.lag,
    })
}
