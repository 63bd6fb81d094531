//! One trace from a request to what comes of it.

use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, api, events, eventually};
use reqwest::Method;
use serde_json::json;

use crate::waitlist::{join, patients};

#[tokio::test]
async fn what_a_request_leads_to_is_of_its_trace_on_what_is_embedded() {
    what_a_request_leads_to_is_of_its_trace(Services::Embedded).await;
}

#[tokio::test]
async fn what_a_request_leads_to_is_of_its_trace_on_kafka() {
    what_a_request_leads_to_is_of_its_trace(Services::Brokered).await;
}

async fn what_a_request_leads_to_is_of_its_trace(services: Services) {
    let world = World::start(services).await;
    let practitioner = Practitioner::in_berlin("Traced");
    world.import(&[&practitioner]).await;
    let [alice, bob] = patients(&world, ["alice", "bob"]).await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    // The next free slot is another one then.
    let booking = json!({ "practitioner_id": practitioner.id, "slot_start": slots[0] });
    let key = api::fresh_key();
    let headers = [("idempotency-key", key.as_str())];
    let booked = send(
        &alice,
        BOOKS,
        "/v1/bookings",
        &headers,
        Some(booking.to_string()),
    )
    .await;
    let booked = booked.expect(201);
    announced(&world, BOOKS, "booking-events", "BookingCreated").await;
    announced(&world, BOOKS, "availability-events", "AvailabilityChanged").await;

    // Who waits is offered what comes free: the offer is made by who hears of it.
    join(&bob, practitioner.id).await.expect(201);
    let cancel = format!("/v1/bookings/{}/cancel", booked.text_of("booking_id"));
    let headers = [("if-match", booked.header("etag"))];
    let cancelled = send(&alice, CANCELS, &cancel, &headers, None).await;
    cancelled.expect(200);
    announced(&world, CANCELS, "booking-events", "BookingCancelled").await;
    announced(&world, CANCELS, "booking-events", "HoldOffered").await;

    // What belongs to no request has a trace of its own.
    let created = of_kind(&world, "practitioner-events", "PractitionerCreated").await;
    assert!(![BOOKS, CANCELS].contains(&trace(&created[0])));
}

/// The traces of two requests.
const BOOKS: &str = "0af7651916cd43dd8448eb211c80319c";
const CANCELS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The span of who sends them.
const SPAN: &str = "b7ad6b7169203331";

async fn send(
    api: &Api,
    trace: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> api::Answer {
    let traceparent = format!("00-{trace}-{SPAN}-01");
    let headers = [headers, &[("traceparent", &traceparent)]].concat();
    api.send(Method::POST, path, &headers, body).await
}

/// Waits until there is such an event of this trace, and no other of its kind.
async fn announced(world: &World, trace: &str, topic: &str, kind: &str) {
    let what = format!("a {kind} of the trace {trace}");
    eventually(SOON, &what, async || {
        let told = of_kind(world, topic, kind).await;
        let traces: Vec<_> = told.iter().map(self::trace).collect();
        ensure(traces.contains(&trace), format!("{traces:?}"))?;
        // It is another span: what led to it is not the event itself.
        let is_the_same = |event: &events::Published| context(event).contains(SPAN);
        assert!(!told.iter().any(is_the_same));
        Ok::<_, String>(())
    })
    .await;
}

async fn of_kind(world: &World, topic: &str, kind: &str) -> Vec<events::Published> {
    let mut told = events::of_topic(world, topic).await;
    told.retain(|event| event.kind == kind);
    told
}

fn context(event: &events::Published) -> &str {
    event.traceparent.as_deref().unwrap()
}

fn trace(event: &events::Published) -> &str {
    context(event).split('-').nth(1).unwrap()
}
