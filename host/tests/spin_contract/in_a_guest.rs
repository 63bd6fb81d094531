//! A component written with spin-sdk (`tests/guests/probe`), under the host's own runtime.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use praxis_host::capabilities::Capability;
use praxis_host::capabilities::key_value::KeyValue;
use praxis_host::capabilities::outbound::{Http, Outbound};
use praxis_host::capabilities::postgres::{Pools, Postgres};
use praxis_host::capabilities::redis::Redis;
use praxis_host::capabilities::variables::Variables;
use praxis_host::manifest::Manifest;
use praxis_host::runtime::application::Application;
use praxis_host::runtime::engine;
use praxis_host::triggers::http::guest::Guest;
use praxis_servers::Server;
use tempfile::TempDir;

use crate::{free_port, postgres, redis};

const PROBE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/components/probe.wasm"
);
const WASI_02: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/components/wasi02.wasm"
);

const GRANTS: &str = r#"
allowed_outbound_hosts = ["{{ database_url }}", "{{ redis_url }}"]
key_value_stores = ["default"]
[component.probe.variables]
database_url = "{{ database_url }}"
redis_url = "{{ redis_url }}"
fetch_url = "{{ fetch_url }}"
greeting = "hello {{ name }}"
"#;

/// The probe with its servers.
struct Host {
    guest: Guest,
    database_url: String,
    _redis: (Server, TempDir),
    _folder: TempDir,
}

fn manifest(folder: &Path, source: &str, grants: &str) -> Manifest {
    assert!(
        Path::new(source).exists(),
        "{source} is not built: make component-probe component-wasi02"
    );
    let text = format!(
        "spin_manifest_version = 2\n\
         [application]\nname = \"probe\"\n\
         [variables]\ndatabase_url = {{ required = true }}\nredis_url = {{ required = true }}\n\
         fetch_url = {{ required = true }}\nname = {{ default = \"world\" }}\n\
         [component.probe]\nsource = {source:?}\n{grants}"
    );
    let path = folder.join("spin.toml");
    std::fs::write(&path, text).unwrap();
    Manifest::load(&path).unwrap()
}

fn application(
    folder: &Path,
    source: &str,
    grants: &str,
    known: &BTreeMap<String, String>,
) -> anyhow::Result<Application> {
    let manifest = manifest(folder, source, grants);
    let variables = Arc::new(Variables::resolve(&manifest, |_| None, known)?);
    let outbound = Arc::new(Outbound::resolve(&manifest, &variables)?);
    let capabilities: Vec<Arc<dyn Capability>> = vec![
        Arc::new(Http::new(Arc::clone(&outbound))),
        Arc::new(Postgres::new(Arc::clone(&outbound))),
        Arc::new(Redis::new(outbound)),
        Arc::new(KeyValue::new(&known["redis_url"])?),
        variables,
    ];
    // Not in the test's own folder: a thread of the engine tidies up there, and outlives the test.
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let engine = engine::start(&compiled).map_err(|fault| anyhow::anyhow!(fault))?;
    Application::load(&engine, &manifest, &capabilities)
}

impl Host {
    async fn start(grants: &str) -> Self {
        Self::run(PROBE, grants).await
    }

    async fn run(source: &str, grants: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url = postgres::database(postgres::shared().await).await;
        let redis = redis::start().await;
        let known = BTreeMap::from([
            ("database_url".to_owned(), database_url.clone()),
            ("redis_url".to_owned(), redis.0.url()),
            (
                "fetch_url".to_owned(),
                format!("http://127.0.0.1:{}/", free_port()),
            ),
        ]);
        let application = application(folder.path(), source, grants, &known).unwrap();
        Self {
            guest: Guest::new(application.component("probe")).unwrap(),
            database_url,
            _redis: redis,
            _folder: folder,
        }
    }

    async fn see(&self, path: &str) -> String {
        let request = http::Request::get(format!("http://localhost{path}"));
        let body = Empty::new()
            .map_err(|never: Infallible| -> wasmtime_wasi_http::Error { match never {} });
        let answer = self.guest.answer(request.body(body).unwrap()).await;
        let answer = answer.unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
        let status = answer.status();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_gets_what_its_manifest_grants() {
    let host = Host::start(GRANTS).await;
    let database = Pools::default().open(&host.database_url, None).unwrap();
    database
        .execute(
            "create table probes (a int constraint probes_once unique)",
            &[],
        )
        .await
        .unwrap();

    assert_eq!(host.see("/postgres/rows").await, "n,t,at 2001000");
    assert_eq!(host.see("/postgres/blocking").await, "1 DbValue::Int64(42)");
    assert_eq!(host.see("/postgres/builder").await, "1");
    assert_eq!(
        host.see("/postgres/constraint").await,
        r#"23505 Some("probes_once")"#
    );
    assert_eq!(host.see("/postgres/abandoned").await, "left");
    let deadline = Instant::now() + Duration::from_secs(5);
    while host.see("/postgres/count").await != "DbValue::Int64(0)" {
        assert!(
            Instant::now() < deadline,
            "the transaction was not rolled back"
        );
    }

    let scripted = host.see("/redis/script").await;
    assert_eq!(scripted.matches("RedisResult::").count(), 4, "{scripted}");
    assert!(scripted.contains("Nil"), "{scripted}");
    assert_eq!(
        host.see("/redis/functions").await,
        r#"2 Some([50]) None 2 1 ["y"] 2"#
    );
    assert_eq!(
        host.see("/key-value").await,
        r#"Some([49]) ["probe"] false"#
    );
    let known = host.see("/variables").await;
    assert!(known.starts_with("hello world "), "{known}");
    assert!(
        known.contains("nobody") && known.contains("No-Name"),
        "{known}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_granted_is_refused() {
    let host = Host::start(GRANTS).await;
    for path in [
        "/postgres/elsewhere",
        "/redis/elsewhere",
        "/key-value/denied",
    ] {
        let seen = host.see(path).await;
        assert!(seen.starts_with("refused"), "{path}: {seen}");
    }
    let seen = host.see("/http").await;
    assert!(seen.contains("HttpRequestDenied"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbound_request_is_sent_where_it_is_granted() {
    let granted = GRANTS.replace(
        "\"{{ redis_url }}\"]",
        "\"{{ redis_url }}\", \"{{ fetch_url }}\"]",
    );
    let host = Host::start(&granted).await;
    // Nobody listens there: it was tried, and not denied.
    let seen = host.see("/http").await;
    assert!(!seen.contains("HttpRequestDenied"), "{seen}");
}

#[tokio::test]
async fn an_import_without_a_grant_stops_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["database_url", "redis_url", "fetch_url"]
        .map(|name| (name.to_owned(), "redis://127.0.0.1:1".to_owned()));
    let refused = application(folder.path(), PROBE, "", &BTreeMap::from(known));
    let error = format!("{:#}", refused.err().unwrap());
    for import in [
        "spin:postgres/postgres@4.2.0",
        "spin:redis/redis@3.0.0",
        "spin:key-value/key-value@3.0.0",
        "spin:variables/variables@3.0.0",
    ] {
        assert!(error.contains(import), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_wasi_02_is_served_as_well() {
    let host = Host::run(WASI_02, "").await;
    assert_eq!(host.see("/there").await, "WASI 0.2 saw /there");
}
