//! The torture in a shorter form, and that it can fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use praxis_torture::mutation::Mutation;
use praxis_torture::report::Report;
use praxis_torture::run::{self, Adapter, Options};
use tokio::sync::Mutex;

/// Two runs at a time would only slow each other down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

const SHORT: Options = Options {
    seconds: 60,
    seed: 1,
    hosts: 2,
    clients: 10,
    pause_ms: 80,
    calm: false,
    hasten: true,
    broken: Vec::new(),
};

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_on_postgres() {
    without_violation(Adapter::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_on_kafka() {
    without_violation(Adapter::Kafka).await;
}

/// All at once, for most of a run is its beginning and its end.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_index_its_events_or_the_marks_of_its_offers_it_is_found_out() {
    let broken = vec![Mutation::UniqueIndex, Mutation::Outbox, Mutation::Offer];
    let options = Options {
        seconds: 20,
        // What is broken shows where many meet.
        clients: 20,
        pause_ms: 10,
        calm: true,
        broken: broken.clone(),
        ..SHORT
    };
    let report = report(&options, Adapter::Postgres).await;
    let found = report.violations_by_kind();
    for mutation in broken {
        assert!(
            found.contains_key(mutation.found_by()),
            "{mutation:?}: {report}"
        );
    }
    // By what clients knew, not only by what is stored.
    assert!(found.contains_key("two at once"), "{report}");
}

async fn without_violation(adapter: Adapter) {
    let report = report(&SHORT, adapter).await;
    println!("{report}");
    assert!(report.findings.violations.is_empty(), "{report}");
    assert!(report.faults_in_all() > 0, "{report}");
    let died = "host killed before the offset";
    assert!(report.faults.contains_key(died), "{report}");
}

async fn report(options: &Options, adapter: Adapter) -> Report {
    let _turn = ONE_AT_A_TIME.lock().await;
    run::run(options, adapter).await.unwrap()
}
