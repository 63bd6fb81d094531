//! A component written with spin-sdk (`tests/guests/probe`), under the host's own runtime.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use praxis_host::capabilities::postgres::{Limits, Pools};

use crate::guest::{self, GRANTS, Host, Product, application, logged};

async fn all_well(host: &Host, cases: &[&str]) {
    for case in cases {
        assert_eq!(host.see(case).await, "ok", "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_values_go_both_ways() {
    let host = Host::start(GRANTS).await;
    let cases = [
        "/postgres/values",
        "/postgres/nulls",
        "/postgres/arrays",
        "/postgres/ranges",
        "/postgres/decoded",
        "/postgres/unsupported",
    ];
    all_well(&host, &cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_rows_stream_and_their_columns_are_known() {
    let host = Host::start(GRANTS).await;
    let cases = ["/postgres/rows", "/postgres/columns", "/postgres/broken"];
    all_well(&host, &cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_opened_in_every_form() {
    let host = Host::start(GRANTS).await;
    let cases = [
        "/postgres/blocking",
        "/postgres/builder",
        "/postgres/keywords",
        "/postgres/elsewhere",
    ];
    all_well(&host, &cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_errors_and_transactions_are_the_servers_own() {
    let host = Host::start(GRANTS).await;
    let database = Pools::default()
        .open("test", Limits::default(), &host.database_url, None)
        .unwrap();
    let table = "create table probes (a int constraint probes_once unique)";
    database.execute(table, &[]).await.unwrap();
    all_well(&host, &["/postgres/errors", "/postgres/transaction"]).await;

    assert_eq!(host.see("/postgres/abandoned").await, "left");
    let deadline = Instant::now() + Duration::from_secs(5);
    while host.see("/postgres/count").await != "DbValue::Int64(0)" {
        assert!(
            Instant::now() < deadline,
            "the transaction was not rolled back"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_does_what_it_is_told() {
    let host = Host::start(GRANTS).await;
    let cases = [
        "/redis/functions",
        "/redis/types",
        "/redis/execute",
        "/redis/refused",
        "/redis/elsewhere",
    ];
    all_well(&host, &cases).await;
    let client = ::redis::Client::open(host.redis_url.as_str()).unwrap();
    let mut listener = client.get_async_pubsub().await.unwrap();
    listener.subscribe("probe").await.unwrap();
    all_well(&host, &["/redis/publish"]).await;
    let message = listener.on_message().next().await.unwrap();
    assert_eq!(message.get_payload_bytes(), b"hello\x00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_value_stores_are_the_same_on_every_product() {
    for product in [Product::Redis, Product::Embedded] {
        let host = Host::start_on(guest::PROBE, GRANTS, product).await;
        let cases = [
            "/key-value/functions",
            "/key-value/refused",
            "/keyvalue/store",
            "/keyvalue/batch",
            "/keyvalue/atomics",
        ];
        all_well(&host, &cases).await;
        assert_eq!(host.see("/key-value/left").await, "Some([55])");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_configuration_and_environment_are_the_components_own() {
    let host = Host::start(GRANTS).await;
    all_well(&host, &["/variables", "/config", "/environment"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_shown_read_only_and_nothing_beside_them() {
    let host = Host::start(GRANTS).await;
    all_well(&host, &["/files"]).await;
    // The folders that are shown are open, too, once a program has asked for them.
    let seen = host.see("/files/many").await;
    let is_full = |count| seen.starts_with(&format!("{count}, again {count}: Quota exceeded"));
    assert!((124..=128).any(is_full), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chance_and_time_are_there() {
    let host = Host::start(GRANTS).await;
    all_well(&host, &["/system/random", "/system/clocks"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_component_prints_is_in_the_log_line_by_line() {
    let log = logged();
    let host = Host::start(GRANTS).await;
    all_well(&host, &["/system/print"]).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    // The line without an end comes when the instance goes.
    while !log.text().contains("without an end") {
        assert!(Instant::now() < deadline, "{}", log.text());
        tokio::task::yield_now().await;
    }
    let text = log.text();
    let line = |words: &str| text.lines().find(|line| line.contains(words)).unwrap();
    let first = line("the first line");
    assert!(first.contains("component=\"probe\""), "{first}");
    assert!(first.contains("stream=\"stdout\""), "{first}");
    assert!(line("of errors").contains("stream=\"stderr\""));
    let long = line("xxxx");
    assert!(long.contains("x … component"), "the line is not cut");
    assert!(long.len() < 10_000, "{}", long.len());
}

#[tokio::test]
async fn an_import_without_a_grant_stops_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["database_url", "redis_url", "database_words", "name"]
        .map(|name| (name.to_owned(), "redis://127.0.0.1:1".to_owned()));
    let known = BTreeMap::from(known);
    let refused = application(folder.path(), guest::PROBE, "", &known, Product::Redis);
    let error = format!("{:#}", refused.err().unwrap());
    for import in [
        "spin:postgres/postgres@4.2.0",
        "spin:redis/redis@3.0.0",
        "spin:key-value/key-value@3.0.0",
        "spin:variables/variables@3.0.0",
        "wasi:config/store@0.2.0-draft-2024-09-27",
        "wasi:keyvalue/store@0.2.0-draft2",
        "wasi:keyvalue/atomics@0.2.0-draft2",
        "wasi:keyvalue/batch@0.2.0-draft2",
    ] {
        assert!(error.contains(import), "{error}");
    }
}

/// Interfaces that Spin has, and versions of them that spin-sdk 7 does not use.
const FOREIGN: [&str; 14] = [
    "fermyon:spin/llm@2.0.0",
    "fermyon:spin/mysql@2.0.0",
    "fermyon:spin/key-value@2.0.0",
    "fermyon:spin/variables@2.0.0",
    "fermyon:spin/redis@2.0.0",
    "fermyon:spin/http",
    "spin:mqtt/mqtt@3.0.0",
    "spin:mysql/mysql@3.0.0",
    "spin:sqlite/sqlite@3.1.0",
    "spin:postgres/postgres@3.0.0",
    "wasi:otel/tracing@0.2.0-rc.2",
    "wasi:keyvalue/watcher@0.2.0-draft2",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:blobstore/blobstore@0.2.0-draft",
];

#[tokio::test]
async fn an_interface_that_is_not_offered_stops_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["database_url", "redis_url", "database_words", "name"]
        .map(|name| (name.to_owned(), "redis://127.0.0.1:1".to_owned()));
    let known = BTreeMap::from(known);
    for import in FOREIGN {
        let text = format!("(component (import {import:?} (instance (export \"f\" (func)))))");
        let source = folder.path().join("foreign.wasm");
        std::fs::write(&source, wat::parse_str(&text).unwrap()).unwrap();
        let source = source.to_str().unwrap();
        let refused = application(folder.path(), source, GRANTS, &known, Product::Redis);
        let error = format!("{:#}", refused.err().unwrap());
        assert!(error.contains("\"probe\""), "{error}");
        assert!(error.contains(import), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_wasi_02_is_served_as_well() {
    let host = Host::start_on(guest::WASI_02, "", Product::Redis).await;
    assert_eq!(host.see("/there").await, "WASI 0.2 saw /there");
}
