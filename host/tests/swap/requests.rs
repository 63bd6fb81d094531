//! Requests go on while the component that answers them is swapped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::channel::mpsc;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::task::JoinSet;

use crate::application::{Application, ID};

const CLIENTS: usize = 8;
const SWAPS: usize = 20;
const SWAPS_FOR_MEMORY: usize = 50;
/// What the process may have grown by after that: one version's code is about 1 MiB.
const GROWTH_BYTES_MAX: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_versions_are_swapped() {
    let application = Application::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (application, stop) = (application.clone(), Arc::clone(&stop));
        clients.spawn(async move {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                *seen.entry(application.see().await).or_default() += 1;
            }
            seen
        });
    }
    for swap in 0..SWAPS {
        let version = ["version-2", "version-1"][swap % 2];
        application.swap(version).await;
        assert_eq!(application.see().await, version);
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(client) = clients.join_next().await {
        for (version, count) in client.unwrap() {
            *seen.entry(version).or_default() += count;
        }
    }
    let versions: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(versions, ["version-1", "version-2"], "{seen:?}");
    assert_eq!(
        application.report().version,
        1 + u32::try_from(SWAPS).unwrap()
    );
    application.drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_on_the_version_it_began_with() {
    let application = Application::start().await;
    let (mut pieces, body) = mpsc::unbounded();
    let body = StreamBody::new(body).boxed_unsync();
    let echo = crate::application::request("/echo", body);
    let answer = application.guest.answer(echo).await.unwrap();
    assert_eq!(answer.headers()["version"], "version-1");
    let mut answer = answer.into_body();
    let mut send = |text: &'static str| {
        let piece = Ok(Frame::data(Bytes::from_static(text.as_bytes())));
        pieces.start_send(piece).unwrap();
    };
    send("before");
    let piece = answer.frame().await.unwrap().unwrap();
    assert_eq!(piece.into_data().unwrap(), "before");

    application.swap("version-2").await;
    assert_eq!(application.see().await, "version-2");
    let draining = application.report().draining;
    assert_eq!(draining.len(), 1, "{draining:?}");
    assert_eq!(draining[0].load.instances, 1, "{draining:?}");

    send("after");
    let piece = answer.frame().await.unwrap().unwrap();
    assert_eq!(piece.into_data().unwrap(), "after");
    pieces.close_channel();
    assert!(answer.frame().await.is_none());
    application.drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_instances_of_an_old_version_go_at_once() {
    let application = Application::start().await;
    application.see().await;
    assert_eq!(application.report().load.instances, 1);
    let swapped = std::time::Instant::now();
    application.swap("version-2").await;
    let taken = swapped.elapsed();
    let drained = std::time::Instant::now();
    application.drained().await;
    // Left alone they would be kept for a second.
    let waited = drained.elapsed().as_millis();
    assert!(waited < 500, "{waited} ms after a swap of {taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_swaps() {
    let application = Application::start_alone().await;
    let swap = async |count: usize| {
        for swap in 0..count {
            // Each is new to the engine: a name of its own.
            application.swap(&format!("version{:02}", swap % 100)).await;
            application.see().await;
        }
        application.drained().await;
    };
    // What is made once is made now.
    swap(10).await;
    let before = resident_bytes();
    swap(SWAPS_FOR_MEMORY).await;
    let after = resident_bytes();
    assert!(
        after < before + GROWTH_BYTES_MAX,
        "{before} bytes before, {after} after {SWAPS_FOR_MEMORY} swaps of {ID}"
    );
}

/// What the process holds in memory.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<usize>().unwrap() << 10
}
