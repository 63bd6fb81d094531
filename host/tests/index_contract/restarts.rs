//! Generations of the embedded index on disk: at whatever moment the process ends.

use std::path::{Path, PathBuf};

use praxis_host::capabilities::index::embedded::Embedded;
use praxis_host::capabilities::index::{Outcome, Role};
use tempfile::tempdir;

use crate::generations;
use crate::shops::*;

#[tokio::test]
async fn a_restart_goes_on_with_what_was_being_built() {
    let folder = tempdir().unwrap();
    {
        let indexes = embedded(folder.path());
        apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
        indexes.begin(SHOPS).await.unwrap();
        generations::load(&indexes, 2, "a", 1, "kiosk").await;
    }
    {
        let indexes = embedded(folder.path());
        let building = generations::beside(1, 2, Role::Building);
        assert_eq!(generations::state(&indexes).await, building);
        assert_eq!(found(&indexes, &only(of_trade("bakery"))).await, ["a"]);
        let outcome = generations::load(&indexes, 2, "a", 1, "grocer").await;
        assert_eq!(outcome, Outcome::Stale);
        apply(&indexes, &[shop("b", 1, vec![trade("bakery")])]).await;
        indexes.switch(SHOPS, 2).await.unwrap();
    }
    {
        let indexes = embedded(folder.path());
        let previous = generations::beside(2, 1, Role::Previous);
        assert_eq!(generations::state(&indexes).await, previous);
        assert_eq!(found(&indexes, &all()).await, ["a", "b"]);
        assert_eq!(found(&indexes, &only(of_trade("kiosk"))).await, ["a"]);
        apply(&indexes, &[shop("c", 1, vec![trade("kiosk")])]).await;
        indexes.switch(SHOPS, 1).await.unwrap();
    }
    let indexes = embedded(folder.path());
    assert_eq!(found(&indexes, &only(of_trade("bakery"))).await, ["a", "b"]);
    assert_eq!(found(&indexes, &all()).await, ["a", "b", "c"]);
    indexes.remove(SHOPS, 2).await.unwrap();
    assert!(!journal_of(folder.path(), 2).exists());
}

/// Between the files and the state that names them.
#[tokio::test]
async fn what_a_crash_left_of_a_generation_is_cleared_away() {
    let folder = tempdir().unwrap();
    {
        let indexes = embedded(folder.path());
        apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
    }
    // It was begun, and no state names it yet; or dropped, and its file is there still.
    std::fs::copy(journal_of(folder.path(), 1), journal_of(folder.path(), 2)).unwrap();
    std::fs::write(folder.path().join("test-shops.generations-new"), "{").unwrap();
    {
        let indexes = embedded(folder.path());
        assert_eq!(generations::state(&indexes).await, generations::alone(1));
        assert!(!journal_of(folder.path(), 2).exists());
        let built = indexes.begin(SHOPS).await.unwrap();
        assert!(generations::held(&indexes, built).await.is_empty());
        indexes.switch(SHOPS, built).await.unwrap();
        indexes.remove(SHOPS, 1).await.unwrap();
        assert!(!journal_of(folder.path(), 1).exists());
    }
    let indexes = embedded(folder.path());
    assert_eq!(generations::state(&indexes).await, generations::alone(2));
    assert!(found(&indexes, &all()).await.is_empty());
}

#[tokio::test]
async fn a_state_that_can_not_be_read_is_named() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("test-shops.generations"), "{").unwrap();
    let opened = Embedded::open(folder.path(), "test-", &schema());
    let error = format!("{:#}", opened.err().unwrap());
    assert!(error.contains("test-shops.generations"), "{error}");
}

fn journal_of(folder: &Path, generation: u64) -> PathBuf {
    folder.join(match generation {
        1 => "test-shops.jsonl".to_owned(),
        later => format!("test-shops.g{later}.jsonl"),
    })
}
