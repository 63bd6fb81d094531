//! What is not swapped, why, and that the version before it goes on.

use praxis_host::runtime::deployment::{COMPONENT_BYTES_MAX, Refused};

use crate::application::{Application, ID, built, named};

/// An empty core module.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

async fn refused(application: &Application, wasm: Vec<u8>) -> String {
    let swapped = application.deployments.swap(ID, "upload".into(), wasm);
    let reason = match swapped.await {
        Err(Refused::Unfit(reason)) => format!("{reason:#}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(application.see().await, "version-1", "after: {reason}");
    let report = application.report();
    assert_eq!((report.version, report.previous), (1, None));
    reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_with_its_reason() {
    let application = Application::start().await;
    let mut torn = built(ID);
    torn.truncate(torn.len() / 2);
    for (wasm, reason) in [
        (b"hello".to_vec(), "magic"),
        (torn, "could not compile it"),
        (CORE_MODULE.to_vec(), "module"),
        (built("probe"), "spin:postgres/postgres@4.2.0"),
        (built("hello"), "praxis:events/consumer"),
        (vec![0; COMPONENT_BYTES_MAX + 1], "more than 67108864 bytes"),
    ] {
        let told = refused(&application, wasm).await;
        assert!(told.contains(reason), "{reason}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_must_be_there() {
    let application = Application::start().await;
    let swapped = application.deployments.swap("b", "upload".into(), vec![]);
    assert!(matches!(swapped.await, Err(Refused::Unknown(id)) if id == "b"));
    let back = application.deployments.rollback("b");
    assert!(matches!(back, Err(Refused::Unknown(id)) if id == "b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_swap_at_a_time() {
    let application = Application::start().await;
    let swap = || {
        application
            .deployments
            .swap(ID, "upload".into(), named("version-2"))
    };
    let (first, second) = tokio::join!(swap(), swap());
    assert_eq!(first.unwrap().version, 2);
    assert!(matches!(second, Err(Refused::Busy(id)) if id == ID));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_again_changes_nothing() {
    let application = Application::start().await;
    application.swap("version-2").await;
    application.swap("version-2").await;
    let report = application.report();
    assert_eq!((report.version, report.previous), (2, Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_one_step_back() {
    let application = Application::start().await;
    let nothing = application.deployments.rollback(ID);
    assert!(matches!(nothing, Err(Refused::NothingBefore(_))));

    application.swap("version-2").await;
    assert_eq!(application.see().await, "version-2");
    let back = application.deployments.rollback(ID).unwrap();
    assert_eq!((back.version, back.previous), (1, None));
    assert_eq!(application.see().await, "version-1");
    application.drained().await;

    let nothing = application.deployments.rollback(ID);
    assert!(matches!(nothing, Err(Refused::NothingBefore(_))));
    application.swap("version-3").await;
    assert_eq!(application.report().version, 3);
    assert_eq!(application.see().await, "version-3");
}
