//! HTTP/2 without TLS, with clients that begin with it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::host::{self, Host};
use crate::wire::read;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames of the client's settings, with nothing in them.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

type Client = SendRequest<Full<Bytes>>;

async fn connect(host: &Host) -> (Client, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(host.address).await.unwrap();
    let connecting = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (client, connection) = connecting.await.unwrap();
    (client, tokio::spawn(connection))
}

async fn get(client: &mut Client, url: String, headers: usize) -> (StatusCode, Bytes) {
    let mut request = Request::get(url);
    for n in 0..headers {
        request = request.header(format!("x-{n}"), "y");
    }
    let request = request.body(Full::default()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status();
    (
        status,
        answer.into_body().collect().await.unwrap().to_bytes(),
    )
}

async fn run(limits: &str) -> Host {
    let manifest = format!(
        "[application.tool.praxis]\n{limits}\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"hello\"\n\
         [component.hello]\nsource = \"hello.wasm\"\n"
    );
    host::run(&manifest).await
}

#[tokio::test]
async fn requests_share_a_connection() {
    let host = run("").await;
    let (client, _connection) = connect(&host).await;
    let asked = (0..40).map(|_| {
        let (mut client, url) = (client.clone(), host.url("/hello"));
        async move { get(&mut client, url, 0).await }
    });
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer, (StatusCode::OK, "Hello".into()));
    }
    let (status, _) = get(&mut client.clone(), host.url("/nowhere"), 0).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    host.is_well().await;
}

#[tokio::test]
async fn a_head_is_as_large_as_one_of_http_1() {
    let host = run("headers_max = 10").await;
    let (mut client, _connection) = connect(&host).await;
    let (status, _) = get(&mut client, host.url("/hello"), 11).await;
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let (status, _) = get(&mut client, host.url("/hello"), 10).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let host = run("head_timeout_ms = 100").await;
    let (mut client, connection) = connect(&host).await;
    assert_eq!(get(&mut client, host.url("/hello"), 0).await.0, 200);
    // It is told to go, and goes.
    let closed = tokio::time::timeout(Duration::from_secs(10), connection).await;
    assert!(closed.is_ok(), "it is kept");
    // So is one that hears nothing, and one that never says what it speaks.
    for first in [
        &[PREFACE, SETTINGS].concat()[..],
        PREFACE,
        b"PRI * HTTP/2",
        b"",
    ] {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        read(&mut stream).await;
    }
    host.is_well().await;
}

#[tokio::test]
async fn what_begins_like_it_is_read_as_http_1() {
    let host = run("").await;
    for line in ["PROPFIND", "PRI"] {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        for part in [&line[..1], &line[1..], " /hello HTTP/1.1\r\nHost: a\r\n"] {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream
            .write_all(b"Connection: close\r\n\r\n")
            .await
            .unwrap();
        let answer = read(&mut stream).await;
        assert!(answer.ends_with("Hello"), "{line}: {answer}");
    }
}

#[tokio::test]
async fn the_stop_of_the_host_ends_it() {
    let host = run("").await;
    let (mut client, connection) = connect(&host).await;
    assert_eq!(get(&mut client, host.url("/hello"), 0).await.0, 200);
    host.stop.cancel();
    assert!(host.served.await.unwrap().is_ok());
    let _ = connection.await.unwrap();
}
