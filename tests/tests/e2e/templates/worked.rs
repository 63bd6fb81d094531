//! The worked example of the documentation, as it stands there.

use std::process::Stdio;

use praxis_tests::{Services, World, place};
use tokio::process::Command;

const PAGE: &str = include_str!("../../../../docs/templates.md");
/// What `make up` shows as well.
const DEMO: &str = include_str!("../../../../host/directory/demo/practitioners.ndjson");
/// Where the page says that the host is.
const THERE: &str = "http://127.0.0.1:3000";

#[tokio::test]
async fn the_worked_example_runs_as_pasted() {
    let world = World::start(Services::Embedded).await;
    world.import_lines(DEMO).await;
    world.settle().await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("example.sh");
    let said = world.host.base.as_str();
    let example = blocks().join("\n").replace(THERE, said);
    let example = example.replace("/tmp", folder.path().to_str().unwrap());
    std::fs::write(&script, format!("set -e\n{example}")).unwrap();
    let output = Command::new("bash")
        .arg(&script)
        .current_dir(place::root())
        .env("PRAXIS_DATA_DIR", world.mail_folder().parent().unwrap())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    // The next mail changes, is what it was again, and comes from a component.
    // `curl` ends no line: the first of them stands behind an answer.
    let subjects: Vec<_> = said
        .split("\"subject\": \"")
        .skip(1)
        .map(|subject| subject.split([' ', '"']).next().unwrap())
        .collect();
    assert_eq!(subjects, ["See", "See", "Your", "Hello"], "{said}");
}

/// The shell's part of the page.
fn blocks() -> Vec<&'static str> {
    let begun = PAGE.split("```sh\n").skip(1);
    begun.filter_map(|rest| rest.split("```").next()).collect()
}
