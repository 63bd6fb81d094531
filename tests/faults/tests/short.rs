//! The fault run in a shorter form, and that it can fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use praxis_faults::checker::Violation;
use praxis_faults::report::Report;
use praxis_faults::run::{self, Adapter, Broken, Options};
use tokio::sync::Mutex;

/// Two runs at a time would only slow each other down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

const SHORT: Options = Options {
    events: 5_000,
    keys: 100,
    hosts: 3,
    seed: 1,
    calm: false,
    short: true,
    broken: None,
};

#[tokio::test]
async fn nothing_is_lost_on_kafka() {
    without_violation(Adapter::Kafka).await;
}

#[tokio::test]
async fn nothing_is_lost_on_postgres() {
    without_violation(Adapter::Postgres).await;
}

#[tokio::test]
async fn a_consumer_that_swaps_two_events_is_found_out() {
    let options = Options {
        events: 1_000,
        hosts: 1,
        calm: true,
        broken: Some(Broken::Swap),
        ..SHORT
    };
    let report = report(&options, Adapter::Postgres).await;
    let violations = report.findings.violations.iter();
    let swapped = violations.filter(|violation| match violation {
        Violation::OutOfOrder { .. } | Violation::Unequal { .. } => true,
        other => panic!("{other}, though only two events were swapped"),
    });
    assert_eq!(swapped.count(), 2, "{report}");
}

async fn without_violation(adapter: Adapter) {
    let report = report(&SHORT, adapter).await;
    println!("{report}");
    assert!(report.findings.violations.is_empty(), "{report}");
}

async fn report(options: &Options, adapter: Adapter) -> Report {
    let _turn = ONE_AT_A_TIME.lock().await;
    run::run(options, adapter).await.unwrap()
}
