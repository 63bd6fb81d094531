//! Requests that are not: each is answered with a 4xx or not at all, and harms nobody.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::host;
use crate::wire::{exchange, read, statuses};

const SMUGGLED: &str = "GET /unruly/before HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_broken_head_is_refused() {
    let host = host::start("", "").await;
    let many = "X: y\r\n".repeat(200);
    let long = "x".repeat(10 << 20);
    let mut all = Vec::new();
    for (request, expected) in [
        ("garbage\r\n\r\n".into(), 400),
        ("\u{0}\u{1}\u{2}\u{3}\r\n\r\n".into(), 400),
        ("GET /hello HTTP/9.9\r\nHost: a\r\n\r\n".into(), 400),
        ("GET /hello\r\n\r\n".into(), 400),
        ("GET hello HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400),
        (
            "GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n".into(),
            400,
        ),
        (
            "GET /hello HTTP/1.1\r\nHost: a\r\nSpace : b\r\n\r\n".into(),
            400,
        ),
        (
            "GET /hello HTTP/1.1\r\nHost: a\r\nFolded: a\r\n b\r\n\r\n".into(),
            400,
        ),
        (
            "GET /hello HTTP/1.1\r\nHost: a\r\nZero: \u{0}\r\n\r\n".into(),
            400,
        ),
        (format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (
            format!("GET /hello HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
    ] {
        let answer = exchange(host.address, request.as_bytes()).await;
        let seen = statuses(&answer);
        // Closed at once is right as well: what was sent cannot be a request.
        let closed = seen.is_empty() && request.len() > 1 << 20;
        if seen != [expected] && !closed {
            let request: String = request.chars().take(60).collect();
            all.push(format!("{request:?}: expected {expected}: {answer}"));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    host.is_well().await;
}

/// A client's first words in TLS: a record with a greeting.
#[tokio::test]
async fn tls_is_not_spoken() {
    let host = host::start("", "").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let greeting = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n";
    stream.write_all(greeting).await.unwrap();
    let answer = read(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    host.is_well().await;
}

#[tokio::test]
async fn nothing_is_smuggled_in_a_body() {
    let host = host::start("", "").await;
    let mut all = Vec::new();
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (headers, body, expected) in [
        // Both lengths: the chunks count, and the connection ends.
        (
            format!("Content-Length: 4\r\n{chunked}"),
            format!("0\r\n\r\n{SMUGGLED}"),
            200,
        ),
        (
            format!("{chunked}Content-Length: 4\r\n"),
            format!("0\r\n\r\n{SMUGGLED}"),
            200,
        ),
        (
            "Content-Length: 0\r\nContent-Length: 46\r\n".into(),
            SMUGGLED.into(),
            400,
        ),
        ("Content-Length: 0, 46\r\n".into(), SMUGGLED.into(), 400),
        ("Content-Length: -1\r\n".into(), SMUGGLED.into(), 400),
        ("Content-Length: +0\r\n".into(), SMUGGLED.into(), 400),
        ("Content-Length: 0x0\r\n".into(), SMUGGLED.into(), 400),
        (
            "Content-Length: 99999999999999999999999\r\n".into(),
            SMUGGLED.into(),
            400,
        ),
        (
            "Transfer-Encoding: chunked, identity\r\n".into(),
            format!("0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "Transfer-Encoding: xchunked\r\n".into(),
            format!("0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "Transfer-Encoding : chunked\r\n".into(),
            format!("0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (chunked.into(), format!("-1\r\n\r\n{SMUGGLED}"), 400),
        (chunked.into(), format!("x\r\n\r\n{SMUGGLED}"), 400),
        (
            chunked.into(),
            format!("ffffffffffffffffff\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            chunked.into(),
            format!("1\r\nab\r\n0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (chunked.into(), format!("1\nab0\r\n\r\n{SMUGGLED}"), 400),
    ] {
        let head = format!("POST /unruly/read HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let answer = exchange(host.address, format!("{head}{body}").as_bytes()).await;
        let seen = statuses(&answer);
        // One answer: what stands in the body is no request.
        if seen != [expected] {
            all.push(format!(
                "{headers:?} {body:?}: expected {expected}: {answer}"
            ));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    host.is_well().await;
}

#[tokio::test]
async fn half_a_request_is_cut_off() {
    let host = host::start("", "request_timeout_ms = 2000").await;
    let begun = [
        "GET /hel",
        "GET /hello HTTP/1.1\r\nHost: a\r\n",
        "POST /unruly/read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
        "POST /unruly/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    ];
    let waits = begun.map(async |bytes| {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let answer = read(&mut stream).await;
        let seen = statuses(&answer);
        assert!(
            seen.iter().all(|status| [408, 504].contains(status)),
            "{bytes:?}: {answer}"
        );
    });
    let all = futures::future::join_all(waits);
    tokio::time::timeout(Duration::from_secs(15), all)
        .await
        .unwrap();
    host.is_well().await;
}

#[tokio::test]
async fn half_a_body_is_the_end_of_its_request_only() {
    let host = host::start("", "").await;
    for body in ["half", "5\r\nhal"] {
        let framing = if body == "half" {
            "Content-Length: 10"
        } else {
            "Transfer-Encoding: chunked"
        };
        let head = format!("POST /unruly/read HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let answer = read(&mut stream).await;
        assert!(
            statuses(&answer).iter().all(|status| *status == 400),
            "{answer}"
        );
    }
    host.is_well().await;
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let host = host::start("", "").await;
    let one = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let none = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = exchange(host.address, format!("{one}{none}{last}").as_bytes()).await;
    assert_eq!(statuses(&answer), [200, 404, 200]);
}
