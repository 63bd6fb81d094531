//! An application of one component that says which version it is, and files of its versions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use praxis_host::capabilities::Capability;
use praxis_host::capabilities::variables::{Environment, Variables};
use praxis_host::manifest::Manifest;
use praxis_host::runtime::application;
use praxis_host::runtime::component::Component;
use praxis_host::runtime::consumer::Consumer;
use praxis_host::runtime::deployment::{Deployments, Report, Seats};
use praxis_host::runtime::engine;
use praxis_host::triggers::http::guest::Guest;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime_wasi_http::WasiBody;

const MANIFEST: &str = "spin_manifest_version = 2\n\
    [application]\nname = \"swap\"\n\
    [component.versioned]\nsource = \"versioned.wasm\"\n";
const VERSION_1: &[u8] = b"version-1";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What is deployed, and the seats of the component that is called: events only if it handles any.
#[derive(Clone)]
pub struct Application {
    pub deployments: Arc<Deployments>,
    pub guest: Guest,
    pub consumer: Option<Consumer>,
    pub component: Component,
    folder: Arc<TempDir>,
    _share: Arc<SemaphorePermit<'static>>,
}

/// The process, whose memory one test looks at.
static PROCESS: Semaphore = Semaphore::const_new(PROCESS_SHARES as usize);
const PROCESS_SHARES: u32 = 100;

/// The id of the component.
pub const ID: &str = "versioned";

/// The bytes of a built guest.
pub fn built(name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components");
    let path = target.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{} is not built: make component-{name}", path.display()))
}

/// The component's file with another name for its version, which is as long.
pub fn named(version: &str) -> Vec<u8> {
    assert_eq!(version.len(), VERSION_1.len());
    let mut wasm = built(ID);
    let mut places = wasm.windows(VERSION_1.len());
    let at = places.position(|bytes| bytes == VERSION_1).unwrap();
    wasm[at..at + VERSION_1.len()].copy_from_slice(version.as_bytes());
    wasm
}

impl Application {
    pub async fn start() -> Self {
        Self::start_with(1, "").await
    }

    /// While no other test's is there.
    pub async fn start_alone() -> Self {
        Self::start_with(PROCESS_SHARES, "").await
    }

    /// With what its table says besides.
    pub async fn start_limited(tool: &str) -> Self {
        Self::start_with(1, tool).await
    }

    async fn start_with(shares: u32, tool: &str) -> Self {
        let text = format!("{MANIFEST}[component.versioned.tool.praxis]\n{tool}\n");
        Self::make(&text, &[("versioned.wasm", built(ID))], ID, shares).await
    }

    /// Another one, whose component `called` answers requests.
    pub async fn of(manifest: &str, files: &[(&str, Vec<u8>)], called: &str) -> Self {
        Self::make(manifest, files, called, 1).await
    }

    async fn make(text: &str, files: &[(&str, Vec<u8>)], called: &str, shares: u32) -> Self {
        let share = PROCESS.acquire_many(shares).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let manifest = folder.path().join("spin.toml");
        std::fs::write(&manifest, text).unwrap();
        let manifest = Manifest::load(&manifest).unwrap();
        let variables =
            Variables::resolve(&manifest, &Environment::default(), &BTreeMap::new()).unwrap();
        let capabilities: Vec<Arc<dyn Capability>> = vec![Arc::new(variables)];
        // Not in the test's own folder: a thread of the engine tidies up there, and outlives it.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let engine = engine::start(&compiled).unwrap();
        let application = application::Application::load(
            &engine,
            &manifest,
            &capabilities,
            &folder.path().join(".praxis"),
        );
        let application = application.unwrap();
        let guest = Guest::new(application.component(called)).unwrap();
        let mut seats = Seats::default();
        seats.add(called, Arc::new(guest.clone()));
        let consumer = Consumer::new(application.component(called)).ok();
        if let Some(consumer) = &consumer {
            seats.add(called, Arc::new(consumer.clone()));
        }
        let component = application.component(called).clone();
        Self {
            deployments: Arc::new(Deployments::new(application, seats)),
            guest,
            consumer,
            component,
            folder: Arc::new(folder),
            _share: Arc::new(share),
        }
    }

    /// Swaps in a version by its name.
    pub async fn swap(&self, version: &str) {
        let swapped = self.deployments.swap(ID, "upload".into(), named(version));
        swapped.await.unwrap();
    }

    /// Which version answers.
    pub async fn see(&self) -> String {
        self.answer(request("/", empty())).await
    }

    pub async fn answer(&self, request: http::Request<WasiBody>) -> String {
        let answer = self.guest.answer(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn report(&self) -> Report {
        self.deployments.report().remove(0)
    }

    /// Waits until no old version is left.
    pub async fn drained(&self) {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        while !self.report().draining.is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.report());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn request(path: &str, body: WasiBody) -> http::Request<WasiBody> {
    let request = http::Request::post(format!("http://localhost{path}"));
    request.body(body).unwrap()
}

pub fn empty() -> WasiBody {
    let body: Empty<Bytes> = Empty::new();
    body.map_err(|never| match never {}).boxed_unsync()
}
