//! A host without components, as operators meet it: a group at work, and the host's own routes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;
use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use praxis_host::capabilities::events::Broker;
use praxis_host::manifest::Manifest;
use praxis_host::manifest::limits::Limits;
use praxis_host::runtime::application::Application;
use praxis_host::runtime::consumer::Handler;
use praxis_host::runtime::deployment::{Deployments, Seats};
use praxis_host::runtime::engine;
use praxis_host::triggers::http::auth::{Claims, Source, Verifier};
use praxis_host::triggers::http::development::Development;
use praxis_host::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use praxis_host::triggers::http::operations::{Events, Operations, Readiness};
use praxis_host::triggers::http::seating::Guests;
use praxis_host::triggers::http::{About, Server};
use praxis_host::triggers::kafka::dead_letters::DeadLetters;
use praxis_host::triggers::kafka::watch::Watch;
use praxis_host::triggers::kafka::{Group, run};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::waiting::{eventually, within};

const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"office\"\n";

pub struct Office {
    url: String,
    token: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _folder: TempDir,
}

/// One for all tests: what they count is told apart by their groups' names.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || PrometheusBuilder::new().install_recorder().unwrap();
    METRICS.get_or_init(install).clone()
}

impl Office {
    /// The group reads what `broker` has, with this handler.
    pub async fn open(broker: &Arc<dyn Broker>, group: Group, handler: Arc<dyn Handler>) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let metrics = metrics();
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(folder.path()).unwrap();
        let keys = Source::Fixed(issuer.keys());
        let verifier = Verifier::new(keys, ISSUER.into(), AUDIENCE.into()).await;
        let watch = Watch::default();
        let stop = CancellationToken::new();
        let events = Events {
            broker: Arc::clone(broker),
            groups: vec![group.clone()],
            watch: watch.clone(),
            dead_letters: dead_letters(broker, &group),
        };
        let server = Server::new(
            About {
                name: "office".into(),
                version: String::new(),
            },
            &Limits::default(),
            Guests {
                by_component: BTreeMap::new(),
                routes: Vec::new(),
            },
            Some(verifier.unwrap()),
            Some(Operations {
                metrics,
                readiness: Readiness::new(Vec::new()),
                events: Some(events),
                deployments: nothing_deployed(&folder),
            }),
            Development {
                issuer: None,
                catcher: None,
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::new(server.unwrap()).serve(listener, stop.clone());
        let reading = run(Arc::clone(broker), group, handler, watch, stop.clone());
        let tasks = vec![
            tokio::spawn(async move { serving.await.unwrap() }),
            tokio::spawn(reading),
        ];
        let token = issuer.mint(&operator()).unwrap();
        Self {
            url,
            token,
            stop,
            tasks,
            _folder: folder,
        }
    }

    /// What `/metrics` answers.
    pub async fn metrics(&self) -> Metrics {
        let answer = reqwest::get(format!("{}/metrics", self.url)).await;
        Metrics(answer.unwrap().text().await.unwrap())
    }

    /// What `/v1/ops/consumers` says of the partition in which something has happened.
    pub async fn partition(&self) -> Value {
        let request = reqwest::Client::new().get(format!("{}/v1/ops/consumers", self.url));
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let Value::Array(mut items) = answer.json::<Value>().await.unwrap()["items"].take() else {
            panic!("there are no items");
        };
        items.retain(|item| item["end"] != 0);
        assert_eq!(items.len(), 1, "{items:#?}");
        items.remove(0)
    }

    /// Waits until that partition is so.
    pub async fn until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(async || holds(&self.partition().await)).await;
        self.partition().await
    }

    /// Runs the command `praxis` against this host; it has to succeed.
    pub async fn praxis(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments, &self.token).await;
        let (out, err) = (text(stdout), text(stderr));
        assert!(status.success(), "{arguments:?}: {status}: {out}{err}");
        out
    }

    /// The same where it has to fail; says why it does.
    pub async fn praxis_fails(&self, arguments: &[&str]) -> String {
        self.praxis_fails_with(arguments, &self.token).await
    }

    /// With another token.
    pub async fn praxis_fails_with(&self, arguments: &[&str], token: &str) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments, token).await;
        let (out, err) = (text(stdout), text(stderr));
        assert!(!status.success(), "{arguments:?}: {out}");
        err
    }

    async fn run(&self, arguments: &[&str], token: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_praxis"));
        let command = command
            .args(arguments)
            .env("PRAXIS_URL", &self.url)
            .env("PRAXIS_TOKEN", token)
            .kill_on_drop(true);
        within(command.output()).await.unwrap()
    }

    pub async fn close(self) {
        self.stop.cancel();
        for task in self.tasks {
            within(task).await.unwrap();
        }
    }
}

/// Where this group reads its topics, and nobody else any.
fn dead_letters(broker: &Arc<dyn Broker>, group: &Group) -> DeadLetters {
    let mut readers = BTreeMap::from([("rumours".to_owned(), BTreeSet::new())]);
    for topic in group.topics.keys() {
        readers.insert(topic.clone(), BTreeSet::from([group.name.clone()]));
    }
    DeadLetters::new(Arc::clone(broker), readers, "office")
}

fn nothing_deployed(folder: &TempDir) -> Arc<Deployments> {
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, MANIFEST).unwrap();
    let manifest = Manifest::load(&manifest).unwrap();
    let engines = engine::start(&folder.path().join("compiled")).unwrap();
    let application = Application::load(&engines, &manifest, &[], folder.path()).unwrap();
    Arc::new(Deployments::new(application, Seats::default()))
}

fn operator() -> Claims {
    Claims {
        iat: None,
        sub: "somebody".into(),
        roles: vec!["operator".into()],
        tenant: None,
        name: None,
        email: None,
        phone_number: None,
        locale: None,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Metrics in the Prometheus text format.
pub struct Metrics(String);

impl Metrics {
    /// The sum of the samples that have these labels, among others; 0 if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (of, given) = series.split_once('{')?;
            let has =
                |(label, value): &(&str, &str)| given.contains(&format!("{label}=\"{value}\""));
            let is_one = of == name && labels.iter().all(has);
            is_one.then(|| value.parse::<f64>().unwrap())
        });
        samples.sum()
    }
}
