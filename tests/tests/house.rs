//! The rules of the house: who may depend on whom, and which words stay outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use praxis_domain::event;
use praxis_tests::place;
use serde_json::Value;

const COMPONENTS: [&str; 7] = [
    "availability",
    "booking",
    "jinja-renderer",
    "notification",
    "practitioner",
    "search",
    "web",
];

/// What would give the domain a socket, a file, a clock or a task.
const DOING_THINGS: [&str; 9] = [
    "hyper",
    "praxis-platform",
    "rdkafka",
    "redis",
    "reqwest",
    "spin-sdk",
    "sqlx",
    "tokio",
    "wasip3",
];

/// What the host must not know.
const WORDS_OF_THE_DOMAIN: [&str; 3] = ["booking", "patient", "practitioner"];

#[test]
fn the_domain_does_nothing_but_decide() {
    let house = House::look();
    let everything = house.reached_from("praxis-domain");
    for library in DOING_THINGS {
        assert!(
            !everything.contains(library),
            "praxis-domain reaches {library}"
        );
    }
}

#[test]
fn a_component_knows_the_domain_and_the_platform_and_no_other_component() {
    let house = House::look();
    for component in COMPONENTS {
        let ours = house.ours(&format!("praxis-{component}"));
        let allowed = ["praxis-domain", "praxis-platform"].map(str::to_owned);
        let foreign: Vec<_> = ours.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(
            foreign.is_empty(),
            "praxis-{component} depends on {foreign:?}"
        );
    }
    let platform = house.ours("praxis-platform");
    assert!(
        platform.iter().all(|name| name == "praxis-domain"),
        "praxis-platform: {platform:?}"
    );
}

#[test]
fn the_host_knows_no_component() {
    let house = House::look();
    for part in [
        "praxis",
        "praxis-directory",
        "praxis-servers",
        "praxis-wasi",
    ] {
        let reached = house.reached_from(part);
        for stranger in COMPONENTS.iter().chain(&["domain", "platform"]) {
            let stranger = format!("praxis-{stranger}");
            assert!(!reached.contains(&stranger), "{part} reaches {stranger}");
        }
    }
}

#[test]
fn the_tests_link_nothing_that_they_test() {
    let house = House::look();
    for (tests, allowed) in [
        ("praxis-tests", &["praxis-servers"][..]),
        ("praxis-faults", &["praxis-servers", "praxis-tests"]),
        ("praxis-torture", &["praxis-servers", "praxis-tests"]),
    ] {
        let ours: Vec<_> = house.ours(tests).into_iter().collect();
        assert_eq!(ours, allowed, "{tests}");
    }
}

#[test]
fn every_crate_is_under_the_rules() {
    let house = House::look();
    let known: BTreeSet<String> = COMPONENTS
        .iter()
        .chain(&[
            "domain",
            "platform",
            "directory",
            "servers",
            "wasi",
            "tests",
            "faults",
            "torture",
            "benches",
        ])
        .map(|name| (*name).to_owned())
        .chain(guests())
        .map(|name| format!("praxis-{name}"))
        .chain(["praxis".to_owned()])
        .collect();
    let crates: BTreeSet<String> = house.dependencies.keys().cloned().collect();
    let strangers: Vec<_> = crates.difference(&known).collect();
    assert!(
        strangers.is_empty(),
        "{strangers:?}: say in this test whom a new crate may know"
    );
}

#[test]
fn the_guests_of_the_tests_are_anybodys_components() {
    let house = House::look();
    for guest in guests() {
        let ours = house.ours(&format!("praxis-{guest}"));
        assert!(ours.is_empty(), "praxis-{guest} depends on {ours:?}");
    }
}

#[test]
fn the_host_does_not_speak_the_domains_language() {
    let mut found = Vec::new();
    for file in sources(&place::root().join("host/src")) {
        let text = fs::read_to_string(&file).unwrap().to_lowercase();
        for (number, line) in (1..).zip(text.lines()) {
            let words = WORDS_OF_THE_DOMAIN
                .iter()
                .filter(|word| line.contains(**word));
            found.extend(words.map(|word| format!("{}:{number}: {word}", file.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The lost are looked for at every fifteenth tick, and which tick it is follows from the clock.
#[test]
fn the_ticks_of_next_slots_come_as_often_as_the_rules_say() {
    let manifest = fs::read_to_string(place::root().join("spin.toml")).unwrap();
    let kind = format!("kind = \"{}\"", event::NEXT_SLOTS_DUE);
    let triggers = manifest.split("[[trigger.cron]]");
    let ticks: Vec<_> = triggers.filter(|trigger| trigger.contains(&kind)).collect();
    assert_eq!(ticks.len(), 1, "triggers of {kind}");
    let schedule = ticks[0].lines().find(|line| line.starts_with("schedule"));
    let seconds = match schedule {
        Some("schedule = \"0 * * * * *\"") => 60,
        other => panic!("how many seconds are between two ticks of {other:?}?"),
    };
    assert_eq!(seconds, event::NEXT_SLOTS_EVERY_SECONDS);
}

#[test]
fn no_folder_has_a_mod_rs() {
    let folders = ["host", "components", "tests"].map(|folder| place::root().join(folder));
    let named = |file: &&std::path::PathBuf| file.ends_with("mod.rs");
    let files: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    let found: Vec<_> = files.iter().filter(named).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The components that exist for tests only: the crates under `tests/guests`.
fn guests() -> Vec<String> {
    let entries = fs::read_dir(place::root().join("tests/guests")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.join("Cargo.toml").exists())
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// The crates of the workspace, and what `cargo metadata` knows about everybody.
struct House {
    /// What each of our crates needs to run: no dev-dependencies.
    dependencies: BTreeMap<String, BTreeSet<String>>,
    /// By package, what it may link, dev-dependencies left out.
    links: BTreeMap<String, BTreeSet<String>>,
}

impl House {
    fn look() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--offline", "--locked"])
            .current_dir(place::root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let members: BTreeSet<&str> = list(&metadata["workspace_members"]).map(text).collect();
        let (mut dependencies, mut links) = (BTreeMap::new(), BTreeMap::new());
        for package in list(&metadata["packages"]) {
            let needed: BTreeSet<String> = list(&package["dependencies"])
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]).to_owned())
                .collect();
            let name = text(&package["name"]).to_owned();
            if members.contains(text(&package["id"])) {
                dependencies.insert(name.clone(), needed.clone());
            }
            links
                .entry(name)
                .or_insert_with(BTreeSet::new)
                .extend(needed);
        }
        // What a library names as optional is not there unless the graph says so.
        let graph = resolved(&metadata);
        for (name, needed) in &mut links {
            needed.retain(|other| graph.get(name).is_some_and(|all| all.contains(other)));
        }
        Self {
            dependencies,
            links,
        }
    }

    /// Our own crates that a crate of ours depends on.
    fn ours(&self, name: &str) -> BTreeSet<String> {
        let needed = &self.dependencies[name];
        needed
            .iter()
            .filter(|other| self.dependencies.contains_key(*other))
            .cloned()
            .collect()
    }

    fn reached_from(&self, name: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            for other in self.links.get(&next).into_iter().flatten() {
                if reached.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        reached
    }
}

/// By package, the packages that the resolved graph gives it.
fn resolved(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let given = list(&node["dependencies"]).map(|id| names[text(id)].to_owned());
        graph
            .entry(names[text(&node["id"])].to_owned())
            .or_default()
            .extend(given);
    }
    graph
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
