//! The page, driven through by a browser.

use std::process::Stdio;

use praxis_tests::{Practitioner, Services, World, place};
use tokio::process::Command;

#[tokio::test]
async fn a_person_finds_books_moves_and_cancels_on_the_page() {
    let world = World::start(Services::Embedded).await;
    let practitioners = ["Ahrens", "Brandt", "Conrad"].map(Practitioner::in_berlin);
    world.import(&practitioners.each_ref()).await;
    let folder = place::root().join("tests/browser");
    let output = Command::new("node")
        .arg("flow.mjs")
        .arg(&world.host.base)
        .arg(place::root().join("docs"))
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
