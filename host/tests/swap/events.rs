//! Events are handled while the component that handles them is swapped.

use std::time::{Duration, Instant};

use praxis_host::runtime::consumer::{Delivery, Event, Handler as _, Outcome};
use praxis_host::runtime::room;

use crate::application::{self, Application};

const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

pub fn delivery(kind: &str) -> Delivery {
    Delivery {
        id: "1".into(),
        source: "test".into(),
        time_ms: 0,
        topic: "test".into(),
        partition: 0,
        offset: 0,
        attempt: 1,
        traceparent: None,
        event: Event {
            kind: kind.into(),
            key: "1".into(),
            stream_version: 0,
            data: "{}".into(),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_ends_on_the_version_it_began_with() {
    let application = Application::start().await;
    // Compiled once, the next swap is faster than the slow event.
    application.swap("version-2").await;
    application.deployments.rollback(application::ID).unwrap();
    application.drained().await;
    let old = application.consumer.clone().unwrap();
    let slow = tokio::spawn(async move { old.handle(&delivery("Slow")).await });
    let deadline = Instant::now() + BEGIN_TIMEOUT;
    while application.report().load.events_in_flight == 0 {
        assert!(Instant::now() < deadline, "the event was never begun");
        tokio::task::yield_now().await;
    }

    application.swap("version-2").await;
    let fast = application
        .consumer
        .as_ref()
        .unwrap()
        .handle(&delivery("Fast"))
        .await;
    assert_eq!(fast, Outcome::Reject("version-2".into()));
    let draining = application.report().draining;
    assert_eq!(draining[0].load.events_in_flight, 1, "{draining:?}");

    assert_eq!(slow.await.unwrap(), Outcome::Reject("version-1".into()));
    application.drained().await;
}

/// The process may have no room because of others: such an event is not at fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_without_room_is_tried_again() {
    // Fuel is counted in an engine with room for fewer.
    let tool = "fuel_max = 1_000_000_000\nqueue_timeout_ms = 50";
    let application = Application::start_limited(tool).await;
    let component = &application.component;
    let mut instances = Vec::new();
    let full = loop {
        let mut store = component.store();
        match component.pre().instantiate_async(&mut store).await {
            Ok(_) => instances.push(store),
            Err(error) => break error,
        }
    };
    assert!(room::is_full(&full), "{full:?}");

    let consumer = application.consumer.as_ref().unwrap();
    let outcome = consumer.handle(&delivery("Fast")).await;
    assert!(matches!(outcome, Outcome::Retry(_)), "{outcome:?}");
    drop(instances);
    let outcome = consumer.handle(&delivery("Fast")).await;
    assert_eq!(outcome, Outcome::Reject("version-1".into()));
}
