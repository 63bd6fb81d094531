//! A server of its own for each test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use praxis_host::manifest::Manifest;
use praxis_host::runtime::application::Application;
use praxis_host::runtime::deployment::{Deployments, Seats};
use praxis_host::runtime::engine;
use praxis_host::triggers::http::development::Development;
use praxis_host::triggers::http::issuer::Issuer;
use praxis_host::triggers::http::operations::{Operations, Readiness};
use praxis_host::triggers::http::seating::Guests;
use praxis_host::triggers::http::{About, Server};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub struct Host {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub stop: CancellationToken,
    pub served: JoinHandle<anyhow::Result<()>>,
    _stops: DropGuard,
}

/// `hello` at `/hello`, `unruly` below `/unruly`, each with what else its table is to hold.
pub async fn start(hello: &str, unruly: &str) -> Host {
    let manifest = format!(
        "[[trigger.http]]\nroute = \"/hello\"\ncomponent = \"hello\"\n\
         [[trigger.http]]\nroute = \"/unruly/...\"\ncomponent = \"unruly\"\n\
         [component.hello]\nsource = \"hello.wasm\"\n[component.hello.tool.praxis]\n{hello}\n\
         [component.unruly]\nsource = \"unruly.wasm\"\n[component.unruly.tool.praxis]\n{unruly}\n"
    );
    run(&manifest).await
}

/// The manifest's HTTP triggers, on a port of their own.
pub async fn run(manifest: &str) -> Host {
    serve(manifest, false).await
}

/// The same, with the routes that the host answers itself: operations, and tokens for anybody.
pub async fn run_with_its_own(manifest: &str) -> Host {
    serve(manifest, true).await
}

async fn serve(manifest: &str, has_own: bool) -> Host {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components");
    for guest in ["hello", "unruly", "wasi02"] {
        let source = components.join(format!("{guest}.wasm"));
        assert!(
            source.exists(),
            "{guest} is not built: make component-{guest}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    let head = "spin_manifest_version = 2\n[application]\nname = \"app\"\nversion = \"1.2.3\"\n";
    std::fs::write(&path, format!("{head}{manifest}")).unwrap();
    let mut manifest = Manifest::load(&path).unwrap();
    manifest.folder = components;

    // The client wants one, though no test uses TLS. Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Not in a folder of the test's own: a thread of the engine tidies up there, and outlives it.
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let engines = engine::start(&compiled).unwrap();
    let application = Application::load(&engines, &manifest, &[], folder.path()).unwrap();
    let mut seats = Seats::default();
    let guests = Guests::new(&manifest, &application, &mut seats).unwrap();
    let deployments = Arc::new(Deployments::new(application, seats));
    let operations = has_own.then(|| Operations {
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        readiness: Readiness::new(Vec::new()),
        events: None,
        deployments,
    });
    let development = Development {
        issuer: has_own.then(|| Issuer::open(folder.path()).unwrap()),
        catcher: None,
    };
    let about = About {
        name: manifest.application.name.clone(),
        version: manifest.application.version.clone(),
    };
    let server = Server::new(
        about,
        &manifest.application.tool.praxis.limits,
        guests,
        None,
        operations,
        development,
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(Arc::new(server).serve(listener, stop.clone()));
    Host {
        address,
        client: reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap(),
        _stops: stop.clone().drop_guard(),
        stop,
        served,
    }
}

impl Host {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and the body of the answer to a GET.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    /// Fails unless the component that is well answers.
    pub async fn is_well(&self) {
        assert_eq!(self.get("/hello").await, (200, "Hello".into()));
    }
}
