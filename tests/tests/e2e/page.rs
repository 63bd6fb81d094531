//! The page, driven through by a browser.

use std::path::PathBuf;
use std::process::Stdio;

use praxis_tests::{Services, World, place};
use tokio::process::Command;

use crate::places::at_two_places;

/// What `make up` shows as well.
const DEMO: &str = include_str!("../../../host/directory/demo/practitioners.ndjson");

#[tokio::test]
async fn a_person_finds_books_moves_and_cancels_on_the_page() {
    let world = World::start(Services::Embedded).await;
    world.import_lines(DEMO).await;
    let (here, there) = at_two_places();
    world
        .import_lines(&format!("{}\n{}", here.json(), there.json()))
        .await;
    world.settle().await;
    let folder = place::root().join("tests/browser");
    let output = Command::new("node")
        .arg("flow.mjs")
        .arg(&world.host.base)
        .arg(screenshots())
        .arg(here.id.to_string())
        .current_dir(&folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node is missing: tests/tools.sh test");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    world.settle().await;
}

/// Under `target`; `PRAXIS_SCREENSHOTS=docs` renews those that the documentation shows.
fn screenshots() -> PathBuf {
    let folder = match std::env::var_os("PRAXIS_SCREENSHOTS") {
        Some(folder) => place::root().join(folder),
        None => place::target().join("tests/screenshots"),
    };
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
