//! Instances that handle more than one event.

use praxis_host::runtime::consumer::{Handler as _, Outcome};

use crate::application::{self, Application};
use crate::events::delivery;

const REUSED: &str = "instances = \"reused\"\nevents_per_instance_max = 3";

/// What a `Counted` event says: how many of them its instance has had.
async fn counted(application: &Application) -> String {
    let consumer = application.consumer.as_ref().unwrap();
    match consumer.handle(&delivery("Counted")).await {
        Outcome::Reject(count) => count,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_has_an_instance_of_its_own_unless_the_manifest_says_otherwise() {
    let application = Application::start().await;
    for _ in 0..3 {
        assert_eq!(counted(&application).await, "1");
        assert_eq!(application.report().load.instances, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_handles_as_many_events_as_it_may_and_no_more() {
    let application = Application::start_limited(REUSED).await;
    for count in ["1", "2", "3", "1", "2"] {
        assert_eq!(counted(&application).await, count);
    }
    assert_eq!(
        application.report().load.instances,
        1,
        "the others are gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_trapped_or_took_too_long_is_not_used_again() {
    let tool = format!("{REUSED}\nevent_timeout_ms = 500");
    let application = Application::start_limited(&tool).await;
    let consumer = application.consumer.as_ref().unwrap();
    for kind in ["Trap", "Slow"] {
        assert_eq!(counted(&application).await, "1");
        let outcome = consumer.handle(&delivery(kind)).await;
        assert!(matches!(outcome, Outcome::Fault(_)), "{kind}: {outcome:?}");
        assert_eq!(application.report().load.instances, 0, "{kind}");
    }
}

/// What goes on would take its time from the next event's, and do its work there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_goes_on_after_its_answer_is_not_used_again() {
    let application = Application::start_limited(REUSED).await;
    let consumer = application.consumer.as_ref().unwrap();
    assert_eq!(counted(&application).await, "1");
    let later = consumer.handle(&delivery("Later")).await;
    assert_eq!(later, Outcome::Reject("version-1".into()));
    assert_eq!(application.report().load.instances, 0);
    assert_eq!(counted(&application).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_events_share_an_instance_at_one_time() {
    let application = Application::start_limited(REUSED).await;
    let consumer = application.consumer.as_ref().unwrap();
    let (slow, counted) = (delivery("Slow"), delivery("Counted"));
    let slow = consumer.handle(&slow);
    let quick = consumer.handle(&counted);
    let (_, quick) = futures::future::join(slow, quick).await;
    assert_eq!(quick, Outcome::Reject("1".into()));
    assert_eq!(application.report().load.instances, 2);
}

/// What waits for an event would keep its version from ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_are_kept_go_with_their_version() {
    let application = Application::start_limited(REUSED).await;
    assert_eq!(counted(&application).await, "1");
    application.swap("version-2").await;
    application.drained().await;
    assert_eq!(counted(&application).await, "1");
    application.deployments.rollback(application::ID).unwrap();
    application.drained().await;
}
