//! Components under the host's own runtime, over real servers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use http_body_util::{BodyExt as _, Empty};
use praxis_host::capabilities::Capability;
use praxis_host::capabilities::key_value::embedded::Embedded;
use praxis_host::capabilities::key_value::redis::OnRedis;
use praxis_host::capabilities::key_value::{KeyValue, KeyValueStore};
use praxis_host::capabilities::outbound::{Authorities, Http, Networks, Outbound, Sockets};
use praxis_host::capabilities::postgres::Postgres;
use praxis_host::capabilities::redis::Redis;
use praxis_host::capabilities::variables::{Environment, Variables};
use praxis_host::manifest::Manifest;
use praxis_host::manifest::limits::STORE_BYTES;
use praxis_host::runtime::application::Application;
use praxis_host::runtime::engine;
use praxis_host::triggers::http::guest::Guest;
use praxis_servers::Server;
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

use crate::{postgres, redis};

pub const PROBE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/components/probe.wasm"
);
pub const WASI_02: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/components/wasi02.wasm"
);
pub const SUBSCRIBER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/components/subscriber.wasm"
);

pub const GRANTS: &str = r#"
allowed_outbound_hosts = ["{{ database_url }}", "{{ redis_url }}"]
key_value_stores = ["default", "second"]
files = ["data", { source = "data/deep/b.txt", destination = "/elsewhere/b.txt" }]
exclude_files = ["data/left-out.txt"]
environment = { SIZE = "large and {{ unexpanded }}" }
[component.probe.variables]
database_url = "{{ database_url }}"
database_words = "{{ database_words }}"
redis_url = "{{ redis_url }}"
greeting = "hello {{ name }}"
"#;

/// Where the stores are.
#[derive(Clone, Copy)]
pub enum Product {
    Redis,
    Embedded,
}

/// The manifest of one component, `probe`, with what it is granted.
pub fn manifest(folder: &Path, source: &str, grants: &str) -> Manifest {
    assert!(
        Path::new(source).exists(),
        "{source} is not built: make component-probe component-subscriber component-wasi02"
    );
    let text = format!(
        "spin_manifest_version = 2\n\
         [application]\nname = \"probe\"\n\
         [variables]\ndatabase_url = {{ required = true }}\nredis_url = {{ required = true }}\n\
         database_words = {{ required = true }}\nname = {{ default = \"world\" }}\n\
         [component.probe]\nsource = {source:?}\n{grants}"
    );
    std::fs::create_dir_all(folder.join("data/deep")).unwrap();
    for (file, text) in [("a.txt", "a"), ("deep/b.txt", "b"), ("left-out.txt", "c")] {
        std::fs::write(folder.join("data").join(file), text).unwrap();
    }
    let path = folder.join("spin.toml");
    std::fs::write(&path, text).unwrap();
    Manifest::load(&path).unwrap()
}

pub fn application(
    folder: &Path,
    source: &str,
    grants: &str,
    known: &BTreeMap<String, String>,
    product: Product,
) -> anyhow::Result<Application> {
    let manifest = manifest(folder, source, grants);
    let variables = Arc::new(Variables::resolve(
        &manifest,
        &Environment::default(),
        known,
    )?);
    let outbound = Arc::new(Outbound::resolve(&manifest, &variables)?);
    let http = Arc::new(Http::new(
        Arc::clone(&outbound),
        Networks::default(),
        Authorities::default(),
    ));
    let http = (http, Networks::default());
    load(&manifest, variables, outbound, http, known, product)
}

/// Compiles and links; `http` is the caller's, to tell it where things are.
pub fn load(
    manifest: &Manifest,
    variables: Arc<Variables>,
    outbound: Arc<Outbound>,
    (http, blocked): (Arc<Http>, Networks),
    known: &BTreeMap<String, String>,
    product: Product,
) -> anyhow::Result<Application> {
    let stores: Arc<dyn KeyValueStore> = match product {
        Product::Redis => Arc::new(OnRedis::new(&known["redis_url"])?),
        Product::Embedded => Arc::new(Embedded::open(
            &manifest.folder.join("key-value"),
            STORE_BYTES.default,
        )?),
    };
    let capabilities: Vec<Arc<dyn Capability>> = vec![
        http,
        Arc::new(Sockets::new(Arc::clone(&outbound), blocked)),
        Arc::new(Postgres::new(Arc::clone(&outbound))),
        Arc::new(Redis::new(outbound)),
        Arc::new(KeyValue::new(stores)),
        variables,
    ];
    // Not in the test's own folder: a thread of the engine tidies up there, and outlives the test.
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let engine = engine::start(&compiled).map_err(|fault| anyhow::anyhow!(fault))?;
    let data = manifest.folder.join(".praxis");
    Application::load(&engine, manifest, &capabilities, &data)
}

/// A component with these grants, and the capability that sends for it.
pub fn component(source: &str, hosts: &[String], blocked: &[&str]) -> (Guest, Arc<Http>, TempDir) {
    trusting(source, hosts, blocked, Authorities::default())
}

/// The same, with more than the public authorities.
pub fn trusting(
    source: &str,
    hosts: &[String],
    blocked: &[&str],
    authorities: Authorities,
) -> (Guest, Arc<Http>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let grants = format!(
        "key_value_stores = [\"default\"]\n\
         allowed_outbound_hosts = {:?}\n[component.probe.variables]\nname = \"x\"\n",
        // So that the probe's other imports are granted, too.
        [hosts, &["postgres://h".into(), "redis://h".into()]].concat()
    );
    let known = ["database_url", "redis_url", "database_words"]
        .map(|name| (name.to_owned(), "redis://127.0.0.1:1".to_owned()));
    let known = BTreeMap::from(known);
    let manifest = manifest(folder.path(), source, &grants);
    let variables =
        Arc::new(Variables::resolve(&manifest, &Environment::default(), &known).unwrap());
    let outbound = Arc::new(Outbound::resolve(&manifest, &variables).unwrap());
    let blocked = Networks::parse(blocked.iter().copied()).unwrap();
    let http = Arc::new(Http::new(
        Arc::clone(&outbound),
        blocked.clone(),
        authorities,
    ));
    let sender = Arc::clone(&http);
    let application = load(
        &manifest,
        variables,
        outbound,
        (sender, blocked),
        &known,
        Product::Redis,
    );
    let guest = Guest::new(application.unwrap().component("probe")).unwrap();
    (guest, http, folder)
}

/// A component with its servers.
pub struct Host {
    pub guest: Guest,
    pub database_url: String,
    pub redis_url: String,
    _redis: (Server, TempDir),
    _folder: TempDir,
}

impl Host {
    pub async fn start(grants: &str) -> Self {
        Self::start_on(PROBE, grants, Product::Redis).await
    }

    pub async fn start_on(source: &str, grants: &str, product: Product) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url = postgres::database(postgres::shared().await).await;
        let redis = redis::start().await;
        let redis_url = redis.0.url();
        let known = BTreeMap::from([
            ("database_url".to_owned(), database_url.clone()),
            ("database_words".to_owned(), words(&database_url)),
            ("redis_url".to_owned(), redis_url.clone()),
        ]);
        let application = application(folder.path(), source, grants, &known, product).unwrap();
        Self {
            guest: Guest::new(application.component("probe")).unwrap(),
            database_url,
            redis_url,
            _redis: redis,
            _folder: folder,
        }
    }

    pub async fn see(&self, path: &str) -> String {
        see(&self.guest, path, None).await
    }
}

/// The address of the database as libpq writes it.
fn words(address: &str) -> String {
    let url = Url::parse(address).unwrap();
    format!(
        "host={} port={} user='{}' dbname={}",
        url.host_str().unwrap(),
        url.port().unwrap(),
        url.username(),
        &url.path()[1..]
    )
}

/// What the component answers; `url` goes along as `probe-url`.
pub async fn see(guest: &Guest, path: &str, url: Option<&str>) -> String {
    let mut request = http::Request::get(format!("http://localhost{path}"));
    if let Some(url) = url {
        request = request.header("probe-url", url);
    }
    let body =
        Empty::new().map_err(|never: Infallible| -> wasmtime_wasi_http::Error { match never {} });
    let answer = guest.answer(request.body(body).unwrap()).await;
    let answer = answer.unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
    let status = answer.status();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// The log of this test program, from the first time that it is asked for.
pub fn logged() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log(Arc::default());
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(log.clone())
            .init();
        log
    });
    log.clone()
}

#[derive(Clone)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
