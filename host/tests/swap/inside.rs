//! A component that has another one inside.

use std::path::PathBuf;

use praxis_host::runtime::deployment::Refused;

use crate::application::{Application, built, empty, request};

const MANIFEST: &str = "spin_manifest_version = 2\n\
    [application]\nname = \"swap\"\n\
    [[trigger.http]]\nroute = \"/...\"\ncomponent = \"caller\"\n\
    [component.caller]\nsource = \"caller.wasm\"\nfiles = [\"*.txt\"]\n\
    dependencies = { \"example:greeter\" = { component = \"greeter\" } }\n\
    [component.greeter]\nsource = \"greeter.wasm\"\n";

async fn start() -> (Application, PathBuf) {
    let files = [
        ("caller.wasm", built("caller")),
        ("greeter.wasm", built("greeter")),
        ("one.txt", b"1".to_vec()),
    ];
    let application = Application::of(MANIFEST, &files, "caller").await;
    let folder = application.folder().to_path_buf();
    (application, folder)
}

/// The same file of the caller, once more.
async fn swap(application: &Application) -> u32 {
    let caller = built("caller");
    let swapped = application
        .deployments
        .swap("caller", "upload".into(), caller);
    swapped.await.unwrap().version
}

async fn greeting(application: &Application) -> String {
    let mut asked = request("/greet/you", empty());
    *asked.method_mut() = http::Method::GET;
    application.answer(asked).await
}

/// The greeter, with another word that is as long.
fn saying(word: &str) -> Vec<u8> {
    let mut wasm = built("greeter");
    let at = wasm.windows(7).position(|bytes| bytes == b"Hello, ");
    let at = at.unwrap();
    wasm[at..at + word.len()].copy_from_slice(word.as_bytes());
    wasm
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_inside_another_is_not_swapped_by_itself() {
    let (application, _) = start().await;
    let swapped = application
        .deployments
        .swap("greeter", "upload".into(), saying("Howdy"));
    let refused = swapped.await.unwrap_err();
    assert!(matches!(refused, Refused::Uncalled { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "nothing calls the component \"greeter\": it is part of caller; swap caller"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_inside_and_the_files_are_part_of_a_version() {
    let (application, folder) = start().await;
    assert_eq!(greeting(&application).await, "Hello, you");
    assert_eq!(swap(&application).await, 1);

    std::fs::write(folder.join("greeter.wasm"), saying("Howdy")).unwrap();
    assert_eq!(swap(&application).await, 2);
    assert_eq!(greeting(&application).await, "Howdy, you");
    assert_eq!(swap(&application).await, 2);

    std::fs::write(folder.join("one.txt"), "2").unwrap();
    assert_eq!(swap(&application).await, 3);
    assert_eq!(swap(&application).await, 3);

    std::fs::rename(folder.join("one.txt"), folder.join("two.txt")).unwrap();
    assert_eq!(swap(&application).await, 4);
}
