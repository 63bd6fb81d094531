//! Every limit of a component, at its edge.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host;
use crate::wire::{read, statuses};

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let host = host::start("", "body_bytes_max = 100000").await;
    let url = host.url("/unruly/read");
    let post = async |body: reqwest::Body| {
        let answer = host.client.post(&url).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let chunks = |count: usize| {
        let chunk = || std::io::Result::Ok(vec![b'x'; 10_000]);
        reqwest::Body::wrap_stream(futures::stream::iter((0..count).map(move |_| chunk())))
    };
    assert_eq!(
        post(vec![b'x'; 100_000].into()).await,
        (200, "100000".into())
    );
    assert_eq!(post(chunks(10)).await, (200, "100000".into()));
    for body in [vec![b'x'; 100_001].into(), chunks(11)] {
        let (status, problem) = post(body).await;
        assert_eq!(status, 413, "{problem}");
        assert!(problem.contains("/problems/body-too-large"), "{problem}");
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_body_that_nobody_reads() {
    let host = host::start("", "").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = "POST /unruly/unread HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!(statuses(&answer), [200], "{answer}");
    host.is_well().await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_time_out() {
    let host = host::start("", "").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = "POST /unruly/read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!(statuses(&answer), [408], "{answer}");
    assert!(answer.contains("/problems/body-too-slow"), "{answer}");
}

#[tokio::test]
async fn a_body_that_drips_is_a_time_out() {
    let host = host::start("", "request_timeout_ms = 60000").await;
    let (mut reader, mut writer) = TcpStream::connect(host.address).await.unwrap().into_split();
    let head = "POST /unruly/read HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    writer.write_all(head.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let drip = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let answer = tokio::select! {
        () = drip => panic!("the connection was closed without an answer"),
        answer = first(&mut reader) => answer,
    };
    assert!(answer.contains("/problems/body-too-slow"), "{answer}");
    assert_eq!(statuses(&answer), [408], "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// What comes at once when the server says something.
async fn first(reader: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = vec![0; 4096];
    let bytes = reader.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..bytes]).into_owned()
}

/// It takes longer than the patience for a silence, but it moves.
#[tokio::test]
async fn a_body_that_is_slow_but_moves_is_read() {
    let host = host::start("", "request_timeout_ms = 60000").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = "POST /unruly/read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                Content-Length: 24000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(&[b'x'; 2000]).await.unwrap();
    }
    let answer = read(&mut stream).await;
    assert_eq!(statuses(&answer), [200], "{answer}");
}

#[tokio::test]
async fn a_request_has_its_time() {
    let host = host::start("", "request_timeout_ms = 300").await;
    for behaviour in ["loop", "calls", "never"] {
        let started = Instant::now();
        let (status, problem) = host.get(&format!("/unruly/{behaviour}")).await;
        assert_eq!(status, 504, "{behaviour}: {problem}");
        assert!(problem.contains("/problems/timeout"), "{problem}");
        let taken = started.elapsed();
        assert!(taken < Duration::from_secs(3), "{behaviour}: {taken:?}");
    }
    assert_eq!(host.get("/unruly/before").await.0, 200);
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_cut_off() {
    let host = host::start("", "request_timeout_ms = 300").await;
    for behaviour in ["endless", "stall", "deaf", "trap-late"] {
        let url = host.url(&format!("/unruly/{behaviour}"));
        let answer = host.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{behaviour}");
        let body = tokio::time::timeout(Duration::from_secs(5), answer.bytes());
        let cut = body.await.expect("it is cut off");
        assert!(
            cut.is_err(),
            "{behaviour}: a body that was cut off looks whole"
        );
    }
    host.is_well().await;
}

#[tokio::test]
async fn memory_and_stack_are_bounded() {
    let host = host::start("", "memory_bytes_max = 8000000").await;
    for behaviour in ["leak", "recurse", "trap"] {
        let (status, problem) = host.get(&format!("/unruly/{behaviour}")).await;
        assert_eq!(status, 500, "{behaviour}: {problem}");
        assert!(problem.contains("/problems/internal"), "{problem}");
    }
    host.is_well().await;
}

#[tokio::test]
async fn fuel_is_counted_where_it_is_asked_for() {
    let host = host::start("", "fuel_max = 5_000_000").await;
    for behaviour in ["loop", "work"] {
        let (status, problem) = host.get(&format!("/unruly/{behaviour}")).await;
        assert_eq!(status, 500, "{behaviour}: {problem}");
        assert!(problem.contains("/problems/out-of-fuel"), "{problem}");
    }
    // Each request has as much, the first of an instance and those after it.
    let mut befores = BTreeSet::new();
    for _ in 0..50 {
        let (status, before) = host.get("/unruly/before").await;
        assert_eq!(status, 200, "{before}");
        befores.insert(before);
    }
    assert!(befores.len() > 1, "no instance was used again");
    host.is_well().await;
}

#[tokio::test]
async fn requests_wait_for_a_place_but_not_for_ever() {
    let limits = "requests_in_flight_max = 2\nrequests_queued_max = 3\nqueue_timeout_ms = 200\n\
                  request_timeout_ms = 2000";
    let host = host::start("", limits).await;
    let requests = (0..10).map(|_| host.client.get(host.url("/unruly/never")).send());
    let mut answers = Vec::new();
    for answer in join_all(requests).await {
        let answer = answer.unwrap();
        let retry = answer.headers().contains_key("retry-after");
        answers.push((answer.status().as_u16(), retry));
    }
    let count = |what| answers.iter().filter(|answer| **answer == what).count();
    assert_eq!(
        (count((504, false)), count((503, true))),
        (2, 8),
        "{answers:?}"
    );
    // The places are free again.
    assert_eq!(host.get("/unruly/before").await.0, 200);
}

#[tokio::test]
async fn places_that_are_given_back_go_to_those_who_wait() {
    let host = host::start("", "requests_in_flight_max = 2").await;
    let requests = (0..200).map(|_| host.get("/unruly/echo"));
    for (status, text) in join_all(requests).await {
        assert_eq!(status, 200, "{text}");
    }
}

#[tokio::test]
async fn a_place_is_taken_until_the_answer_has_ended() {
    let limits = "requests_in_flight_max = 1\nqueue_timeout_ms = 100\nrequest_timeout_ms = 1000";
    let host = host::start("", limits).await;
    let stalled = host
        .client
        .get(host.url("/unruly/stall"))
        .send()
        .await
        .unwrap();
    assert_eq!(stalled.status(), 200);
    assert_eq!(host.get("/unruly/before").await.0, 503);
    assert!(stalled.bytes().await.is_err());
    assert_eq!(host.get("/unruly/before").await.0, 200);
}

#[tokio::test]
async fn a_client_that_goes_takes_its_request_with_it() {
    let limits = "requests_in_flight_max = 1\nqueue_timeout_ms = 3000\nrequest_timeout_ms = 60000";
    let host = host::start("", limits).await;
    for behaviour in ["never", "loop", "stall", "endless", "deaf"] {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        let head = format!("GET /unruly/{behaviour} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        // Its place is free: nobody waits for the instance's deadline.
        let (status, answer) = host.get("/unruly/before").await;
        assert_eq!(status, 200, "{behaviour}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let limits = "requests_in_flight_max = 1\nqueue_timeout_ms = 15000\nrequest_timeout_ms = 60000";
    let host = host::start("", limits).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = "GET /unruly/endless HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(host.get("/unruly/before").await.0, 200);
    drop(stream);
}

#[tokio::test]
async fn an_instance_is_used_as_often_as_it_may_be() {
    let host = host::start("", "requests_per_instance_max = 3").await;
    let mut before = Vec::new();
    for _ in 0..7 {
        before.push(host.get("/unruly/before").await.1);
    }
    assert_eq!(before, ["0", "1", "2", "0", "1", "2", "0"]);
}

#[tokio::test]
async fn a_connection_with_nothing_to_say_is_closed() {
    let host = host::start("", "").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    assert_eq!(read(&mut stream).await, "");
}

#[tokio::test]
async fn the_server_stops_when_requests_under_way_have_ended() {
    let host = host::start("", "request_timeout_ms = 1000").await;
    let answer = host.client.get(host.url("/unruly/never")).send();
    let answer = tokio::spawn(answer);
    host.is_well().await;
    host.stop.cancel();
    let stopped = Instant::now();
    host.served.await.unwrap().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(5));
    assert_eq!(answer.await.unwrap().unwrap().status(), 504);
}

/// What a component does after its answer, it may finish, though its client has gone.
#[tokio::test]
async fn the_server_stops_when_nothing_is_at_work() {
    let host = host::start("", "request_timeout_ms = 2000").await;
    let answer = host.get("/unruly/loop-late").await;
    assert_eq!(answer, (200, "done".into()));
    let answered = Instant::now();
    host.stop.cancel();
    host.served.await.unwrap().unwrap();
    let stopped = answered.elapsed();
    assert!(stopped > Duration::from_secs(1), "{stopped:?}");
    assert!(stopped < Duration::from_secs(5), "{stopped:?}");
}
