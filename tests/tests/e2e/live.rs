//! Open pages: what somebody takes goes away on them, and what comes free is there.

use std::time::Duration;

use chrono::Days;
use praxis_tests::directory::{fresh_id, slots, today};
use praxis_tests::{Practitioner, Services, World, api};
use serde_json::Value;
use tokio::time::{Instant, timeout};

/// A second is promised. Here the machine is busy with other tests, and an event travels first.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// `requests_in_flight_max` of the component `live` in spin.toml.
const STREAMS_MAX: usize = 256;

/// A stream of server-sent events, read as the WHATWG's section 9.2 says.
struct Stream {
    response: reqwest::Response,
    rest: String,
}

impl Stream {
    async fn open(world: &World, practitioner: &Practitioner) -> Self {
        let response = ask(world, &path(practitioner)).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        let mut stream = Self {
            response,
            rest: String::new(),
        };
        assert_eq!(stream.block().await, "retry: 1000");
        stream
    }

    /// What stands before the next empty line.
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let block = block.to_owned();
                self.rest = rest.to_owned();
                return block;
            }
            let chunk = timeout(TOLD_WITHIN, self.response.chunk()).await;
            let chunk = chunk.expect("nothing came").unwrap();
            let chunk = chunk.expect("the stream has ended");
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event's data; comments are skipped.
    async fn event(&mut self) -> Value {
        loop {
            let block = self.block().await;
            if block.starts_with(':') {
                continue;
            }
            let (kind, data) = block.split_once('\n').unwrap();
            assert_eq!(kind, "event: availability");
            return serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn an_open_stream_tells_what_goes_and_what_comes() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Watched");
    let other = Practitioner::in_berlin("Unwatched");
    world.import(&[&practitioner, &other]).await;
    let alice = world.api().patient("alice").await;
    let (free, _) = practitioner.free_slots(&alice).await;
    let mut stream = Stream::open(&world, &practitioner).await;
    let all = stream.event().await;
    assert_eq!(slots(&all), free);
    let asked = alice.get(&practitioner.availability_path()).await;
    assert_eq!(all, asked.expect(200).json(), "it is the same answer");

    // Of others nothing is told: the next event is of this booking.
    alice.book(other.id, &free[9]).await.expect(201);
    let begun = Instant::now();
    let booked = alice.book(practitioner.id, &free[0]).await.expect(201);
    let taken = stream.event().await;
    println!(
        "told {} ms after it was asked for",
        begun.elapsed().as_millis()
    );
    let days = taken["days"].as_array().unwrap();
    assert_eq!(days.len(), 1, "only the day that has changed: {taken}");
    assert!(!slots(&taken).contains(&free[0]), "{taken}");
    assert!(slots(&taken).contains(&free[1]), "{taken}");

    let id = booked.text_of("booking_id");
    alice.cancel(&id, "\"1\"").await.expect(200);
    let freed = stream.event().await;
    assert!(slots(&freed).contains(&free[0]), "{freed}");

    // Who leaves is told of by the end of the stream, and by 404 to who comes back.
    let operator = world.api().operator().await;
    let profile = format!("/v1/practitioners/{}", practitioner.id);
    operator
        .send(reqwest::Method::DELETE, &profile, &[], None)
        .await
        .expect(204);
    let end = timeout(TOLD_WITHIN, stream.response.chunk()).await;
    assert_eq!(end.expect("the stream goes on").unwrap(), None);
    assert_eq!(ask(&world, &path(&practitioner)).await.status(), 404);
    world.settle().await;
}

#[tokio::test]
async fn as_many_streams_as_a_host_holds_keep_nobody_from_availability() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Popular");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (free, _) = practitioner.free_slots(&alice).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut stream = Stream::open(&world, &practitioner).await;
        assert_eq!(slots(&stream.event().await), free);
        streams.push(stream);
    }
    let one_more = ask(&world, &path(&practitioner)).await;
    assert_eq!(one_more.status(), 503);
    assert!(one_more.headers().contains_key("retry-after"));

    let (still_free, source) = practitioner.free_slots(&alice).await;
    assert_eq!((still_free, source.as_str()), (free.clone(), "bitmap"));
    alice.book(practitioner.id, &free[0]).await.expect(201);
    for stream in &mut streams {
        let taken = stream.event().await;
        assert!(!slots(&taken).contains(&free[0]), "{taken}");
    }

    // A place is free as soon as somebody leaves.
    streams.pop();
    praxis_tests::eventually(TOLD_WITHIN, "a place is free", async || {
        match ask(&world, &path(&practitioner)).await.status().as_u16() {
            200 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    drop(streams);
    world.settle().await;
}

#[tokio::test]
async fn a_stream_is_asked_for_as_availability_is() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Strictly");
    world.import(&[&practitioner]).await;
    let day = today("Europe/Berlin");
    let far = day + Days::new(62);
    let of = |id, query: String| format!("/v1/practitioners/{id}/availability/stream{query}");
    for (path, status) in [
        (of(practitioner.id, String::new()), 400),
        (of(practitioner.id, format!("?from={day}&to={far}")), 400),
        (of(practitioner.id, format!("?from={far}&to={day}")), 400),
        (
            of(practitioner.id, "?from=0000-01-01&to=0000-01-02".into()),
            400,
        ),
        (
            of(practitioner.id, format!("?from={day}&to={day}&x=1")),
            400,
        ),
        (of(fresh_id(), format!("?from={day}&to={day}")), 404),
    ] {
        assert_eq!(ask(&world, &path).await.status(), status, "{path}");
    }
    world.settle().await;
}

fn path(practitioner: &Practitioner) -> String {
    let path = practitioner.availability_path();
    path.replace("/availability?", "/availability/stream?")
}

async fn ask(world: &World, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", world.host.base);
    api::http_client().get(url).send().await.unwrap()
}
