//! Writes that reach OpenSearch after what they were for is gone.

use std::collections::BTreeMap;

use praxis_host::capabilities::index::Error;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::generations;
use crate::shops::*;

/// Stands before a server, and keeps writes back while it is closed.
struct Door {
    url: String,
    is_closed: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Door {
    async fn before(server: &str) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_closed = watch::Sender::new(false);
        let waiting = watch::Sender::new(0);
        let (closed, counted) = (is_closed.clone(), waiting.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, closed.subscribe(), counted.clone()));
            }
        });
        Self {
            url,
            is_closed,
            waiting,
        }
    }

    async fn has_waiting(&self, writes: usize) {
        let mut waiting = self.waiting.subscribe();
        waiting
            .wait_for(|waiting| *waiting == writes)
            .await
            .unwrap();
    }
}

async fn pass(
    client: TcpStream,
    server: TcpStream,
    mut is_closed: watch::Receiver<bool>,
    waiting: watch::Sender<usize>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
        let head = String::from_utf8_lossy(&bytes[..read]);
        let is_write = head.lines().next().unwrap_or_default().contains("/_bulk");
        if is_write && *is_closed.borrow() {
            waiting.send_modify(|waiting| *waiting += 1);
            is_closed.wait_for(|is_closed| !is_closed).await.unwrap();
        }
        if to_server.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// The indexes that a server has, in order.
async fn there(server: &str) -> Vec<String> {
    let answer = reqwest::get(format!("{server}/_alias")).await.unwrap();
    let all: BTreeMap<String, Json> = answer.json().await.unwrap();
    all.into_keys().collect()
}

#[tokio::test]
async fn a_write_that_comes_late_does_not_bring_a_generation_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = opensearch_server(folder.path()).await;
    let door = Door::before(&server.url()).await;
    let (indexes, late) = (opensearch(&server.url()), opensearch(&door.url));
    let built = indexes.begin(SHOPS).await.unwrap();
    apply(&late, &[shop("a", 1, vec![trade("bakery")])]).await;
    assert_eq!(generations::held(&indexes, built).await, ["a"]);
    assert_eq!(there(&server.url()).await, ["test-shops", "test-shops-g2"]);

    door.is_closed.send_replace(true);
    let writing = {
        let late = late.clone();
        let changes = [shop("b", 1, vec![trade("bakery")])];
        tokio::spawn(async move { late.apply(SHOPS, &changes).await })
    };
    // One for each generation.
    door.has_waiting(2).await;
    indexes.remove(SHOPS, built).await.unwrap();
    door.is_closed.send_replace(false);
    let written = writing.await.unwrap();
    assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
    assert_eq!(there(&server.url()).await, ["test-shops"]);
    // Tried again, it goes where it belongs.
    apply(&late, &[shop("b", 2, vec![trade("bakery")])]).await;
    assert_eq!(found(&indexes, &all()).await, ["a", "b"]);
    assert_eq!(there(&server.url()).await, ["test-shops"]);
}

#[tokio::test]
async fn an_index_that_was_lost_is_made_again_as_it_was_declared() {
    let folder = tempfile::tempdir().unwrap();
    let server = opensearch_server(folder.path()).await;
    let indexes = opensearch(&server.url());
    apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
    let lost = format!("{}/test-shops", server.url());
    let lost = reqwest::Client::new().delete(lost).send().await.unwrap();
    assert!(lost.status().is_success());
    let changes = [shop("b", 1, vec![trade("bakery")]), hours("b", 1, 5)];
    let refused = indexes.apply(SHOPS, &changes).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    apply(&indexes, &changes).await;
    assert_eq!(found(&indexes, &only(of_trade("bakery"))).await, ["b"]);
    assert_eq!(found(&indexes, &only(opens(None, None))).await, ["b"]);
    indexes.begin(SHOPS).await.unwrap();
}
