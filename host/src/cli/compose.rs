//! The composition root: adapters chosen by the configuration, and everything started.

mod events;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::events::Events;
use super::services::Services;
use super::settings::{Settings, Tokens};
use super::token::ISSUER_FOLDER;
use crate::capabilities::variables::Environment;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::runtime::application::Application;
use crate::runtime::deployment::{Deployments, Seats};
use crate::runtime::engine;
use crate::triggers::http::auth::{Source, Verifier};
use crate::triggers::http::chain::Chain;
use crate::triggers::http::development::Development;
use crate::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::triggers::http::operations::{Operations, Readiness};
use crate::triggers::http::seating::Guests;
use crate::triggers::http::{About, Server};

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
        let environment = Environment::of_process().beside(&manifest)?;
        let services = Services::connect(
            config,
            settings,
            &manifest,
            &environment,
            development,
            &stop,
        );
        let services = services.await?;
        let compiled = config.data_dir.join(COMPILED_FOLDER);
        if !compiled.exists() {
            tracing::info!("compiling the components: that takes a while, once");
        }
        let engines = engine::start(&compiled)?;
        let application = Application::load(
            &engines,
            &manifest,
            &services.capabilities,
            &config.data_dir,
        )?;

        let mut seats = Seats::default();
        let events = Events::new(&manifest, &application, &services, &mut seats)?;
        let guests = Guests::new(&manifest, &application, &mut seats)?;
        let chain = Arc::new(Chain::new(&guests.by_component)?);
        let deployments = Arc::new(Deployments::new(application, seats));

        let operations = manifest.application.tool.praxis.operations;
        let operations = operations.then(|| Operations {
            metrics: metrics.clone(),
            readiness: Readiness::new(services.dependencies()),
            events: events.for_operators(&manifest, &services),
            deployments: Arc::clone(&deployments),
        });
        let server = Server::new(
            About {
                name: manifest.application.name.clone(),
                version: manifest.application.version.clone(),
            },
            &manifest.application.tool.praxis.limits,
            guests,
            verifier(config, settings).await?,
            operations,
            Development {
                issuer: issuer(config, settings, development)?,
                catcher: services.catcher.clone(),
            },
        )?;
        let address = listener.local_addr()?;
        let server = Arc::new(server);
        // It keeps no server alive: the server holds the components, which hold what sends.
        let asked = Arc::downgrade(&server);
        let is_hosts = move |path: &str| {
            let server = asked.upgrade();
            server.is_none_or(|server| server.answers_itself(path))
        };
        services.http.set_own(address, Arc::new(is_hosts));
        services.sockets.set_own(address);
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
        tasks.spawn(server.serve(listener, stop.clone()));
        events.run(&services, &manifest.application.name, &tasks, &stop);
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
        open_more_files();
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("could not listen on {}", config.listen))?;
        Ok(Self { manifest, listener })
    }
}

/// Lets the process have as many files open as the system allows. Each connection is one, and so is
/// the first state of each component's memory.
fn open_more_files() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "could not raise the number of open files");
    }
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

/// Who gives tokens to anybody, where tokens count: in development only.
fn issuer(
    config: &Config,
    settings: &Settings,
    development: bool,
) -> anyhow::Result<Option<Issuer>> {
    if !development || settings.tokens.is_none() {
        return Ok(None);
    }
    Issuer::open(&config.data_dir.join(ISSUER_FOLDER)).map(Some)
}
