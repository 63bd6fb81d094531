//! `/v1/ops/components`, over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use praxis_host::manifest::limits::Limits;
use praxis_host::runtime::deployment::COMPONENT_BYTES_MAX;
use praxis_host::triggers::http::auth::{Claims, Source, Verifier};
use praxis_host::triggers::http::development::Development;
use praxis_host::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use praxis_host::triggers::http::operations::{Operations, Readiness};
use praxis_host::triggers::http::seating::Guests;
use praxis_host::triggers::http::{About, Server};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::application::{Application, ID, built, named};

const WASM: &str = "application/wasm";
const CLIENTS: usize = 8;
const SWAPS: usize = 10;
/// What `/later` does after its answer takes a second.
const LATER_AT_LEAST: Duration = Duration::from_millis(900);

struct Host {
    address: SocketAddr,
    client: Client,
    issuer: Issuer,
    application: Application,
    stop: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
    _stops: DropGuard,
}

impl Host {
    async fn start() -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let application = Application::start().await;
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(folder.path()).unwrap();
        let keys = Source::Fixed(issuer.keys());
        let verifier = Verifier::new(keys, ISSUER.into(), AUDIENCE.into()).await;
        let operations = Operations {
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            readiness: Readiness::new(Vec::new()),
            events: None,
            deployments: Arc::clone(&application.deployments),
        };
        let server = Server::new(
            About {
                name: "swap".into(),
                version: String::new(),
            },
            &Limits::default(),
            Guests {
                by_component: BTreeMap::from([(ID.into(), application.guest.clone())]),
                routes: vec![("/...".into(), application.guest.clone())],
            },
            Some(verifier.unwrap()),
            Some(operations),
            Development {
                issuer: None,
                catcher: None,
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(Arc::new(server.unwrap()).serve(listener, stop.clone()));
        Self {
            address,
            client: Client::new(),
            issuer,
            application,
            _stops: stop.clone().drop_guard(),
            stop,
            served,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    fn token(&self, role: &str) -> String {
        let claims = Claims {
            sub: "somebody".into(),
            roles: vec![role.into()],
            tenant: None,
            name: None,
            email: None,
            phone_number: None,
            locale: None,
            iat: None,
        };
        self.issuer.mint(&claims).unwrap()
    }

    /// As an operator.
    async fn ask(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let answer = request.bearer_auth(self.token("operator")).send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn swap(&self, id: &str, wasm: Vec<u8>) -> (StatusCode, Value) {
        let path = format!("/v1/ops/components/{id}:swap");
        let request = self.request(Method::POST, &path);
        self.ask(request.header("content-type", WASM).body(wasm))
            .await
    }

    async fn rollback(&self, id: &str) -> (StatusCode, Value) {
        let path = format!("/v1/ops/components/{id}:rollback");
        self.ask(self.request(Method::POST, &path)).await
    }

    async fn list(&self) -> Value {
        let request = self.request(Method::GET, "/v1/ops/components");
        let (status, list) = self.ask(request).await;
        assert_eq!(status, 200, "{list}");
        list["items"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_swaps_and_takes_it_back() {
    let host = Host::start().await;
    let before = host.list().await;
    assert_eq!(before["id"], ID);
    assert_eq!(before["version"], 1);
    assert_eq!(before["source"], "versioned.wasm");
    assert_eq!(before["requests_in_flight"], 0);
    assert_eq!(before["draining"], json!([]));

    let (status, live) = host.swap(ID, named("version-2")).await;
    assert_eq!(status, 200, "{live}");
    assert_eq!(live["id"], ID);
    assert_eq!(live["version"], 2);
    assert_eq!(live["previous"], 1);
    assert_eq!(live["sha256"].as_str().unwrap().len(), 64);
    assert_ne!(live["sha256"], before["sha256"]);
    assert_eq!(host.application.see().await, "version-2");
    let after = host.list().await;
    assert_eq!(after["source"], "upload");
    assert_eq!(after["sha256"], live["sha256"]);

    let (status, live) = host.rollback(ID).await;
    assert_eq!(status, 200, "{live}");
    assert_eq!(live["version"], 1);
    assert_eq!(live["previous"], Value::Null);
    assert_eq!(live["sha256"], before["sha256"]);
    assert_eq!(host.application.see().await, "version-1");

    let (status, problem) = host.rollback(ID).await;
    assert_eq!(status, 409);
    assert_eq!(problem["type"], "/problems/no-previous-version");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_why() {
    let host = Host::start().await;
    let (status, problem) = host.swap(ID, built("probe")).await;
    assert_eq!(status, 422);
    assert_eq!(problem["type"], "/problems/component-refused");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("spin:postgres/postgres@4.2.0"), "{detail}");

    assert_eq!(host.swap("nobody", named("version-2")).await.0, 404);
    assert_eq!(host.rollback("nobody").await.0, 404);

    let path = format!("/v1/ops/components/{ID}:swap");
    let json = host.request(Method::POST, &path).json(&json!({}));
    assert_eq!(host.ask(json).await.0, 415);
    let large = host.request(Method::POST, &path);
    let large = large
        .header("content-type", WASM)
        .body(vec![0; COMPONENT_BYTES_MAX + 1]);
    let answer = large.bearer_auth(host.token("operator")).send().await;
    // The host may have hung up before all of it was sent.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 413));

    let get = host.request(Method::GET, &path);
    assert_eq!(host.ask(get).await.0, 405);
    let other = host.request(Method::POST, "/v1/ops/components/versioned:explode");
    assert_eq!(host.ask(other).await.0, 404);
    assert_eq!(host.application.see().await, "version-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_are_for_operators() {
    let host = Host::start().await;
    for (method, path) in [
        (Method::GET, "/v1/ops/components"),
        (Method::POST, "/v1/ops/components/versioned:swap"),
        (Method::POST, "/v1/ops/components/versioned:rollback"),
    ] {
        let nobody = host.request(method.clone(), path).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{path}");
        let somebody = host.request(method, path).bearer_auth(host.token("staff"));
        assert_eq!(somebody.send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_over_a_kept_connection_is_lost_while_an_operator_swaps() {
    let host = Arc::new(Host::start().await);
    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (host, stop) = (Arc::clone(&host), stop.clone());
        clients.spawn(async move {
            // A connection of its own, on one of the host's lanes.
            let client = Client::new();
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            while !stop.is_cancelled() {
                let answer = client
                    .post(format!("http://{}/", host.address))
                    .send()
                    .await;
                let answer = answer.unwrap();
                assert_eq!(answer.status(), 200);
                *seen.entry(answer.text().await.unwrap()).or_default() += 1;
            }
            seen
        });
    }
    for swap in 0..SWAPS {
        let version = ["version-2", "version-1"][swap % 2];
        let (status, live) = host.swap(ID, named(version)).await;
        assert_eq!(status, 200, "{live}");
        // Every connection that asks from now on sees it.
        let answer = Client::new().post(format!("http://{}/", host.address));
        let answer = answer.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, version);
    }
    stop.cancel();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for client in clients.join_all().await {
        assert!(!client.is_empty(), "a client was never answered");
        for (version, count) in client {
            *seen.entry(version).or_default() += count;
        }
    }
    let versions: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(versions, ["version-1", "version-2"], "{seen:?}");
    host.application.drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_that_is_under_way_is_said_before_the_file_is_read() {
    let host = Host::start().await;
    let swap = host.application.deployments.begin(ID).unwrap();
    let (status, problem) = host.swap(ID, named("version-2")).await;
    assert_eq!(status, 409);
    assert_eq!(problem["type"], "/problems/swap-under-way");
    drop(swap);
    assert_eq!(host.swap(ID, named("version-2")).await.0, 200);
}

/// What an old version has yet to do after an answer, it may finish, though the host is to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_waits_for_old_versions() {
    let host = Host::start().await;
    // Compiled once, the next swap is faster than what is done later.
    host.application.swap("version-2").await;
    host.application.deployments.rollback(ID).unwrap();
    host.application.drained().await;

    let answer = host.request(Method::GET, "/later").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "version-1");
    let answered = Instant::now();
    host.application.swap("version-2").await;
    let draining = host.application.report().draining;
    assert_eq!(draining[0].load.instances, 1, "{draining:?}");

    host.stop.cancel();
    host.served.await.unwrap().unwrap();
    let stopped = answered.elapsed();
    assert!(stopped > LATER_AT_LEAST, "{stopped:?}");
    assert!(stopped < LATER_AT_LEAST * 5, "{stopped:?}");
}
