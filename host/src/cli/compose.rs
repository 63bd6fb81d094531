//! The composition root: adapters chosen by the configuration, and everything started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::services::Services;
use super::settings::{Settings, Tokens};
use super::token::ISSUER_FOLDER;
use crate::capabilities::events::{Broker, Lag};
use crate::config::Config;
use crate::manifest::{Manifest, Route};
use crate::runtime::application::Application;
use crate::runtime::consumer::{Consumer, Handler};
use crate::runtime::deployment::{Deployments, Seats};
use crate::runtime::engine;
use crate::triggers::http::auth::{Source, Verifier};
use crate::triggers::http::chain::Chain;
use crate::triggers::http::development::Development;
use crate::triggers::http::guest::Guest;
use crate::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::triggers::http::operations::{Operations, Probe};
use crate::triggers::http::{About, Server};
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

        let tasks = TaskTracker::new();
        tasks.spawn(keep_up(metrics.clone(), stop.clone()));
        let mut seating = Seating {
            application: &application,
            seats: Seats::default(),
        };
        let groups = kafka::groups(&manifest);
        if let Some(broker) = &services.broker {
            consume(broker, &groups, &manifest, &mut seating, &tasks, &stop).await?;
            if let Some(pool) = &services.pool {
                publish(broker, pool, &manifest, &mut seating, &tasks, &stop)?;
            }
        }

        let (guests, routes) = guests(&manifest, &mut seating)?;
        services.http.set_components(Arc::new(Chain::new(guests)?));
        for subscription in redis::subscriptions(&manifest, &services.variables, &application)? {
            for subscriber in subscription.subscribers() {
                let seat = Arc::new(subscriber.clone());
                seating.seats.add(&subscriber.id(), seat);
            }
            tasks.spawn(redis::run(subscription, stop.clone()));
        }
        let seats = seating.seats;
        let deployments = Arc::new(Deployments::new(application, seats));

        let operations = manifest.application.tool.praxis.operations;
        let operations = operations.then(|| Operations {
            metrics,
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
            routes,
            verifier(config, settings).await?,
            operations,
            Development {
                issuer,
                catcher: services.catcher.clone(),
            },
        )?;
        let address = listener.local_addr()?;
        services.http.set_own(address);
        tasks.spawn(Arc::new(server).serve(listener, stop.clone()));
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

/// Starts what reads topics.
async fn consume(
    broker: &Arc<dyn Broker>,
    groups: &[kafka::Group],
    manifest: &Manifest,
    seating: &mut Seating<'_>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let topics = &manifest.application.trigger.kafka.topics;
    broker
        .ensure_topics(topics)
        .await
        .context("could not make the topics")?;
    for group in groups {
        let handler = seating.handler(&group.component)?;
        let broker = Arc::clone(broker);
        tasks.spawn(kafka::run(broker, group.clone(), handler, stop.clone()));
    }
    Ok(())
}

/// Starts what makes events: the outbox's relay, and the timers.
fn publish(
    broker: &Arc<dyn Broker>,
    pool: &PgPool,
    manifest: &Manifest,
    seating: &mut Seating<'_>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let source = &manifest.application.name;
    let relay = Relay::new(pool.clone(), Arc::clone(broker), source);
    tasks.spawn(relay.run(stop.clone()));
    let mut jobs = Vec::new();
    for trigger in &manifest.trigger.cron {
        jobs.push(cron::Job::new(
            trigger,
            seating.handler(&trigger.component)?,
        )?);
    }
    let timers = cron::run(pool.clone(), Arc::clone(broker), jobs, stop.clone());
    tasks.spawn(timers);
    Ok(())
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

/// The components with an HTTP trigger, by id, and those that a path leads to, by route.
type Guests = (BTreeMap<String, Guest>, Vec<(String, Guest)>);

fn guests(manifest: &Manifest, seating: &mut Seating<'_>) -> anyhow::Result<Guests> {
    let mut by_component: BTreeMap<String, Guest> = BTreeMap::new();
    let mut routes = Vec::new();
    for trigger in &manifest.trigger.http {
        let guest = match by_component.get(&trigger.component) {
            Some(guest) => guest.clone(),
            None => {
                let guest = seating.guest(&trigger.component)?;
                by_component.insert(trigger.component.clone(), guest.clone());
                guest
            }
        };
        if let Route::Public(route) = &trigger.route {
            routes.push((route.clone(), guest));
        }
    }
    Ok((by_component, routes))
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

/// Gives each component its seats in the triggers.
struct Seating<'a> {
    application: &'a Application,
    seats: Seats,
}

impl Seating<'_> {
    fn handler(&mut self, component: &str) -> anyhow::Result<Arc<dyn Handler>> {
        let consumer = Consumer::new(self.application.component(component))?;
        self.seats.add(component, Arc::new(consumer.clone()));
        Ok(Arc::new(consumer))
    }

    fn guest(&mut self, component: &str) -> anyhow::Result<Guest> {
        let guest = Guest::new(self.application.component(component))?;
        self.seats.add(component, Arc::new(guest.clone()));
        Ok(guest)
    }
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
                let topics: Vec<_> = group.attempts_max.keys().cloned().collect();
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
