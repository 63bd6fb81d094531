//! Compactions that are held wherever a test wants them.

use std::collections::BTreeMap;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::{TempDir, tempdir};

use super::super::super::{Change, Content, Field, Replaced, Replacement, SourceVersion, Value};
use super::super::shelf::Shelf;
use super::*;
use crate::manifest::FieldType;

const JOURNAL: &str = "shops.jsonl";
const SOURCES: [&str; 2] = ["profile", "hours"];
const SEEDS: u64 = 12;
const STEPS: usize = 150;

fn schema() -> Schema {
    let fields = [
        ("name", FieldType::Text),
        ("stars", FieldType::Number),
        ("trade", FieldType::Keyword),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
    Schema::parse("shops", &BTreeMap::from(fields)).unwrap()
}

fn shelf(folder: &Path) -> Shelf {
    Shelf::open(&folder.join(JOURNAL), &schema()).unwrap()
}

fn change(id: &str, source: &str, version: u64, stars: f64) -> Change {
    Change {
        id: id.into(),
        source: source.into(),
        version,
        fields: vec![Field {
            name: "stars".into(),
            value: Value::Number(stars),
        }],
    }
}

fn write(shelf: &Shelf, id: &str, version: u64) {
    let changes = vec![change(id, "profile", version, version as f64)];
    shelf.apply(changes).unwrap();
}

fn replace(shelf: &Shelf, id: &str, becomes: Option<Content>) {
    let held = held(shelf).remove(id);
    let replacement = Replacement {
        id: id.into(),
        seen: held,
        becomes,
    };
    let replaced = shelf.replace(&replacement).unwrap();
    assert_eq!(replaced, Replaced::Replaced);
}

fn held(shelf: &Shelf) -> BTreeMap<String, Content> {
    let documents = shelf.scan(None, u32::MAX).into_iter();
    documents.map(|one| (one.id, one.content)).collect()
}

/// As if the process were killed now, and another came after it.
fn outlives_a_kill(shelf: &Shelf, folder: &TempDir) {
    let other = tempdir().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), other.path().join(entry.file_name())).unwrap();
    }
    let restarted = self::shelf(other.path());
    assert_eq!(held(&restarted), held(shelf));
    assert!(!other.path().join("shops.new").exists());
}

#[test]
fn what_is_written_during_a_compaction_is_there_after_a_restart() {
    let folder = tempdir().unwrap();
    let shelf = shelf(folder.path());
    for id in ["a", "b", "c"] {
        write(&shelf, id, 1);
    }
    let mut work = shelf.compaction().unwrap();
    // Of what is not kept yet, and of nobody that is to be.
    write(&shelf, "a", 2);
    write(&shelf, "d", 1);
    outlives_a_kill(&shelf, &folder);
    assert!(work.keep_some(2).unwrap());
    // Of what is kept already, and of what is not.
    write(&shelf, "a", 3);
    replace(&shelf, "b", None);
    write(&shelf, "c", 2);
    assert!(!work.keep_some(2).unwrap());
    outlives_a_kill(&shelf, &folder);
    write(&shelf, "b", 1);
    work.catch_up().unwrap();
    write(&shelf, "e", 1);
    outlives_a_kill(&shelf, &folder);
    work.finish().unwrap();
    outlives_a_kill(&shelf, &folder);
    write(&shelf, "f", 1);
    outlives_a_kill(&shelf, &folder);
    let live = held(&shelf);
    assert_eq!(
        live.keys().collect::<Vec<_>>(),
        ["a", "b", "c", "d", "e", "f"]
    );
    drop(shelf);
    assert_eq!(held(&self::shelf(folder.path())), live);
}

#[test]
fn whatever_is_written_and_compacted_a_restart_makes_the_same() {
    for seed in 0..SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let folder = tempdir().unwrap();
        let shelf = shelf(folder.path());
        let mut work = None;
        for _ in 0..STEPS {
            let id = format!("{}", random.random_range(0..6));
            let version = random.random_range(1..20);
            let stars = f64::from(random.random_range(0..1_000));
            let source = SOURCES[random.random_range(0..2)];
            match random.random_range(0..10) {
                0..4 => {
                    let changes = vec![change(&id, source, version, stars)];
                    shelf.apply(changes).unwrap();
                }
                4 => {
                    let changes = vec![change(&id, source, version, stars)];
                    shelf.load(changes).unwrap();
                }
                // Lower versions than before, too.
                5 => {
                    let content = Content {
                        versions: vec![SourceVersion {
                            source: source.into(),
                            version,
                        }],
                        fields: change(&id, source, version, stars).fields,
                    };
                    replace(&shelf, &id, Some(content));
                }
                6 => replace(&shelf, &id, None),
                _ => work = step(&shelf, work, &mut random),
            }
            if random.random_ratio(1, 10) {
                outlives_a_kill(&shelf, &folder);
            }
        }
        drop(work);
        let live = held(&shelf);
        drop(shelf);
        assert_eq!(held(&self::shelf(folder.path())), live, "seed {seed}");
    }
}

/// Another step of a compaction, or the first of one.
fn step(shelf: &Shelf, work: Option<Work>, random: &mut StdRng) -> Option<Work> {
    let Some(mut work) = work else {
        return Some(shelf.compaction().unwrap());
    };
    if work.keep_some(random.random_range(1..4)).unwrap() {
        return Some(work);
    }
    if random.random_bool(0.5) {
        work.catch_up().unwrap();
        return Some(work);
    }
    work.finish().unwrap();
    None
}

#[test]
fn one_that_is_stopped_leaves_the_journal_as_it_is() {
    let folder = tempdir().unwrap();
    let shelf = shelf(folder.path());
    for version in 1..=10 {
        write(&shelf, "a", version);
    }
    let journal = || std::fs::read_to_string(folder.path().join(JOURNAL)).unwrap();
    let before = journal();
    let stopped = shelf.compaction().unwrap().run(&AtomicBool::new(true));
    stopped.unwrap();
    assert_eq!(journal(), before);
    assert!(!folder.path().join("shops.new").exists());
    let done = shelf.compaction().unwrap().run(&AtomicBool::new(false));
    done.unwrap();
    assert_eq!(journal().lines().count(), 1);
    outlives_a_kill(&shelf, &folder);
}
