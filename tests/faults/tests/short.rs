//! The fault run in a shorter form, and that it can fail. All of them at one time: they wait longer
//! than they work, above all for Kafka's group to miss a member.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use praxis_faults::checker::Violation;
use praxis_faults::report::Report;
use praxis_faults::run::{self, Adapter, Broken, Options};

const SHORT: Options = Options {
    events: 5_000,
    keys: 100,
    hosts: 4,
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
async fn a_broken_consumer_is_found_out_on_kafka() {
    found_out(Adapter::Kafka).await;
}

#[tokio::test]
async fn a_broken_consumer_is_found_out_on_postgres() {
    found_out(Adapter::Postgres).await;
}

async fn without_violation(adapter: Adapter) {
    let report = run::run(&SHORT, adapter).await.unwrap();
    println!("{report}");
    assert!(report.violations().next().is_none(), "{report}");
    for found in &report.found {
        let findings = &found.findings;
        assert!(findings.redriven > 0 && findings.replayed > 0, "{report}");
    }
}

/// Each thing that it does wrong is found, and nothing else.
async fn found_out(adapter: Adapter) {
    let options = Options {
        events: 1_000,
        hosts: 1,
        calm: true,
        broken: Some(Broken::All),
        ..SHORT
    };
    let report = run::run(&options, adapter).await.unwrap();
    let expected = BTreeMap::from([
        // One that was skipped.
        ("lost", 1),
        // Two that were swapped.
        ("out of order", 1),
        ("twice", 1),
        // What these three add up to.
        ("unequal", 3),
        // What was not published, and what was published too often.
        ("not followed", 1),
        ("followed twice", 1),
    ]);
    assert_eq!(names(&report), expected, "{report}");
}

fn names(report: &Report) -> BTreeMap<&'static str, usize> {
    let mut names = BTreeMap::new();
    for (component, violation) in report.violations() {
        let name = match violation {
            _ if component != "recorder" => "not of the recorder",
            Violation::Lost { .. } => "lost",
            Violation::OutOfOrder { .. } => "out of order",
            Violation::Twice { .. } => "twice",
            Violation::Unequal { .. } => "unequal",
            Violation::NotFollowed { .. } => "not followed",
            Violation::FollowedTwice { .. } => "followed twice",
            _ => "another",
        };
        *names.entry(name).or_default() += 1;
    }
    names
}
