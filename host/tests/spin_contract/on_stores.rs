//! Key-value stores: one suite, on each product. Without a guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use praxis_host::capabilities::key_value::embedded::Embedded;
use praxis_host::capabilities::key_value::redis::OnRedis;
use praxis_host::capabilities::key_value::{
    BATCH_KEYS_MAX, Error, KEY_BYTES_MAX, KeyValueStore, PAGE_KEYS_MAX, Store, VALUE_BYTES_MAX,
};
use praxis_host::manifest::limits::STORE_BYTES;
use tempfile::TempDir;

use crate::redis;

type Product = Arc<dyn KeyValueStore>;

async fn on_redis() -> Product {
    Arc::new(OnRedis::new(&redis::shared().await.url()).unwrap())
}

fn embedded() -> (Product, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (
        Arc::new(Embedded::open(folder.path(), STORE_BYTES.default).unwrap()),
        folder,
    )
}

/// A store of one's own, in a product that may be shared.
fn store(product: &Product) -> Store {
    let label = praxis_host::clock::id().to_string();
    Store::new(Arc::clone(product), &label)
}

fn failed(outcome: Result<impl std::fmt::Debug, Error>) -> bool {
    matches!(outcome, Err(Error::Failed(_)))
}

async fn suite(product: Product) {
    what_is_put_in_comes_back(&product).await;
    stores_do_not_see_each_other(&product).await;
    batches_keep_their_order(&product).await;
    a_batch_is_seen_whole_or_not_at_all(&product).await;
    increments_are_not_lost(&product).await;
    a_swap_needs_what_was_seen(&product).await;
    keys_come_in_pages(&product).await;
    too_much_is_refused(&product).await;
    keys_in_one_piece_are_bounded(&product).await;
}

async fn what_is_put_in_comes_back(product: &Product) {
    let store = store(product);
    assert_eq!(store.get("k").await.unwrap(), None);
    store.set("k", b"\x00v\xff".to_vec()).await.unwrap();
    store.set("empty", Vec::new()).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap(), b"\x00v\xff");
    assert_eq!(store.get("empty").await.unwrap().unwrap(), b"");
    store.set("k", b"second".to_vec()).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap(), b"second");
    assert!(store.exists("k").await.unwrap());
    let mut keys = store.keys().await.unwrap();
    keys.sort();
    assert_eq!(keys, ["empty", "k"]);
    store.delete("k").await.unwrap();
    store.delete("k").await.unwrap();
    assert!(!store.exists("k").await.unwrap());
    assert_eq!(store.keys().await.unwrap(), ["empty"]);
}

async fn stores_do_not_see_each_other(product: &Product) {
    let store_a = store(product);
    let store_b = store(product);
    store_a.set("k", b"a".to_vec()).await.unwrap();
    assert_eq!(store_b.get("k").await.unwrap(), None);
    assert!(store_b.keys().await.unwrap().is_empty());
}

async fn batches_keep_their_order(product: &Product) {
    let store = store(product);
    let pair = |key: &str, value: &str| (key.to_owned(), value.as_bytes().to_vec());
    let pairs = vec![pair("b", "2"), pair("a", "1")];
    store.set_many(pairs).await.unwrap();
    let names = ["a", "nothing", "b"].map(str::to_owned).to_vec();
    let seen = store.get_many(names.clone()).await.unwrap();
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let expected = [
        ("a".to_owned(), value("1")),
        ("nothing".to_owned(), None),
        ("b".to_owned(), value("2")),
    ];
    assert_eq!(seen, expected);
    store.delete_many(names).await.unwrap();
    assert!(store.keys().await.unwrap().is_empty());
    store.set_many(Vec::new()).await.unwrap();
    store.delete_many(Vec::new()).await.unwrap();
    assert!(store.get_many(Vec::new()).await.unwrap().is_empty());
}

async fn a_batch_is_seen_whole_or_not_at_all(product: &Product) {
    let store = store(product);
    let names: Vec<_> = (0..20).map(|n| format!("k{n}")).collect();
    let write = async {
        for round in 0..50_u8 {
            let pairs = names.iter().map(|name| (name.clone(), vec![round]));
            store.set_many(pairs.collect()).await.unwrap();
            if round % 2 == 1 {
                store.delete_many(names.clone()).await.unwrap();
            }
        }
    };
    let is_done = AtomicBool::new(false);
    let write = async {
        write.await;
        is_done.store(true, Ordering::SeqCst);
    };
    let read = async {
        while !is_done.load(Ordering::SeqCst) {
            let seen = store.get_many(names.clone()).await.unwrap();
            assert!(
                seen.iter().all(|(_, value)| *value == seen[0].1),
                "{seen:?}"
            );
        }
    };
    tokio::join!(write, read);
}

async fn increments_are_not_lost(product: &Product) {
    let store = store(product);
    assert_eq!(store.increment("n", -5).await.unwrap(), -5);
    let all = join_all((1..=100).map(|delta| store.increment("n", delta))).await;
    assert!(all.into_iter().all(|sum| sum.is_ok()));
    assert_eq!(store.get("n").await.unwrap().unwrap(), b"5045");
    store.set("word", b"a".to_vec()).await.unwrap();
    assert!(failed(store.increment("word", 1).await));
    let most = i64::MAX.to_string().into_bytes();
    store.set("most", most.clone()).await.unwrap();
    assert!(failed(store.increment("most", 1).await));
    assert_eq!(store.get("most").await.unwrap().unwrap(), most);
}

async fn a_swap_needs_what_was_seen(product: &Product) {
    let store = store(product);
    let one = || b"1".to_vec();
    let two = || b"2".to_vec();
    assert!(!store.swap("k", Some(one()), two()).await.unwrap());
    assert!(store.swap("k", None, one()).await.unwrap());
    assert!(!store.swap("k", None, two()).await.unwrap());
    assert!(!store.swap("k", Some(two()), two()).await.unwrap());
    assert!(store.swap("k", Some(one()), two()).await.unwrap());
    assert_eq!(store.get("k").await.unwrap().unwrap(), two());
    // Of many who have seen the same, one wins.
    let all = (0..50).map(|n: u8| store.swap("k", Some(two()), vec![n, n]));
    let won = join_all(all).await;
    let won = won.into_iter().filter(|outcome| *outcome.as_ref().unwrap());
    assert_eq!(won.count(), 1);
}

async fn keys_come_in_pages(product: &Product) {
    let store = store(product);
    let keys: Vec<_> = (0..PAGE_KEYS_MAX + 2).map(|n| format!("{n:06}")).collect();
    for half in keys.chunks(PAGE_KEYS_MAX) {
        let pairs = half.iter().map(|key| (key.clone(), Vec::new()));
        store.set_many(pairs.collect()).await.unwrap();
    }
    let (first, cursor) = store.page(None).await.unwrap();
    assert_eq!(first, keys[..PAGE_KEYS_MAX]);
    let (second, end) = store.page(cursor.as_deref()).await.unwrap();
    assert_eq!(second, keys[PAGE_KEYS_MAX..]);
    assert_eq!(end, None);
}

async fn too_much_is_refused(product: &Product) {
    let store = store(product);
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let big = || vec![0; VALUE_BYTES_MAX + 1];
    assert!(failed(store.set(&long, Vec::new()).await));
    assert!(failed(store.set("k", big()).await));
    assert!(failed(store.set_many(vec![("k".to_owned(), big())]).await));
    assert!(failed(store.swap("k", None, big()).await));
    assert!(failed(store.increment(&long, 1).await));
    let many = vec!["k".to_owned(); BATCH_KEYS_MAX + 1];
    assert!(failed(store.get_many(many.clone()).await));
    assert!(failed(store.delete_many(many).await));
    let heavy = (0..17).map(|n| (n.to_string(), vec![0; VALUE_BYTES_MAX]));
    assert!(failed(store.set_many(heavy.collect()).await));
    assert!(store.keys().await.unwrap().is_empty());
    for n in 0..17 {
        let value = vec![0; VALUE_BYTES_MAX];
        store.set(&n.to_string(), value).await.unwrap();
    }
    let heavy = (0..17).map(|n| n.to_string()).collect();
    assert!(failed(store.get_many(heavy).await));
    store.set("k", vec![7; VALUE_BYTES_MAX]).await.unwrap();
    let kept = store.get("k").await.unwrap().unwrap();
    assert_eq!(kept.len(), VALUE_BYTES_MAX);
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    suite(on_redis().await).await;
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    suite(embedded().0).await;
}

#[tokio::test]
async fn the_embedded_store_is_there_after_a_restart_and_for_one_process_only() {
    let (product, folder) = embedded();
    let kept = Store::new(Arc::clone(&product), "kept");
    kept.set("k", b"v".to_vec()).await.unwrap();
    let second = Embedded::open(folder.path(), STORE_BYTES.default)
        .err()
        .unwrap();
    let second = format!("{second:#}");
    assert!(second.contains("stores.redb"), "{second}");
    drop((kept, product));

    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let again = loop {
        // The thread that writes closes the file in its own time.
        match Embedded::open(folder.path(), STORE_BYTES.default) {
            Ok(again) => break again,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error:#}"),
        }
        tokio::task::yield_now().await;
    };
    let kept = Store::new(Arc::new(again), "kept");
    assert_eq!(kept.get("k").await.unwrap().unwrap(), b"v");
}

#[tokio::test]
async fn writes_that_wait_are_committed_together() {
    let (product, _folder) = embedded();
    let store = store(&product);
    let started = std::time::Instant::now();
    let all = (0..1_000).map(|n: u32| {
        let store = store.clone();
        async move { store.set(&n.to_string(), b"v".to_vec()).await }
    });
    assert!(join_all(all).await.into_iter().all(|done| done.is_ok()));
    assert_eq!(store.keys().await.unwrap().len(), 1_000);
    // A commit each would be a thousand times fsync.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

async fn keys_in_one_piece_are_bounded(product: &Product) {
    let label = praxis_host::clock::id().to_string();
    let store = Store::new(Arc::clone(product), &label);
    for key in ["a", "b", "c"] {
        store.set(key, Vec::new()).await.unwrap();
    }
    assert_eq!(product.keys(&label, 3).await.unwrap().len(), 3);
    let Err(Error::Failed(reason)) = product.keys(&label, 2).await else {
        panic!("they were given");
    };
    assert!(reason.contains("store_keys_max"), "{reason}");
}

#[tokio::test]
async fn an_embedded_store_holds_as_much_as_the_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let product: Product = Arc::new(Embedded::open(folder.path(), 1_000).unwrap());
    let (full, other) = (store(&product), store(&product));
    full.set("k", vec![0; 500]).await.unwrap();
    let pair = |key: &str, bytes| (key.to_owned(), vec![0; bytes]);
    // Of what does not fit, nothing is done.
    for pairs in [vec![pair("l", 500)], vec![pair("l", 1), pair("m", 499)]] {
        let Err(Error::Failed(reason)) = full.set_many(pairs).await else {
            panic!("it took more than it may");
        };
        assert!(reason.contains("store_bytes_max"), "{reason}");
    }
    assert!(failed(full.swap("n", None, vec![0; 500]).await));
    assert_eq!(full.keys().await.unwrap(), ["k"]);
    // What takes no more room, and what makes some, is done; and other stores have their own.
    full.set("k", vec![1; 999]).await.unwrap();
    assert!(failed(full.increment("n", 1).await));
    other.set("k", vec![0; 999]).await.unwrap();
    full.set("k", vec![1; 10]).await.unwrap();
    full.delete("k").await.unwrap();
    full.set("l", vec![0; 999]).await.unwrap();
    drop(product);
}
