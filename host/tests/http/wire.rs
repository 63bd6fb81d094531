//! Requests byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any time-out of the server for a connection.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long after the last byte, a server that could answer would have.
const QUIET: Duration = Duration::from_secs(1);

/// All that the server answers to the bytes until it closes the connection, or waits for more.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let (_, answer) = tokio::join!(
        // The server may close before it has read all of it.
        writer.write_all(bytes),
        read_until(&mut reader, QUIET),
    );
    answer.0
}

/// What comes until the connection is closed.
///
/// # Panics
/// If it never is.
pub async fn read(stream: &mut TcpStream) -> String {
    let (answer, closed) = read_until(stream, PATIENCE).await;
    assert!(
        closed,
        "the server does not close the connection; so far: {answer}"
    );
    answer
}

async fn read_until(stream: &mut (impl AsyncRead + Unpin), quiet: Duration) -> (String, bool) {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let closed = loop {
        match timeout(quiet, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(count)) => answer.extend_from_slice(&buffer[..count]),
            Err(_) => break false,
        }
    };
    (String::from_utf8_lossy(&answer).into_owned(), closed)
}

/// The statuses of all answers in a text.
pub fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.split("HTTP/1.").skip(1);
    heads
        .filter_map(|head| head.get(2..5)?.parse().ok())
        .collect()
}
