//! Requests byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any time-out of the server for a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// All that the server answers to the bytes before it closes the connection, or stops answering
/// because it waits for more.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have closed before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    read(&mut stream).await
}

/// What comes until the connection is closed.
pub async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = timeout(PATIENCE, stream.read(&mut buffer));
        match count.await.expect("the server closes the connection") {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of all answers in a text.
pub fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.split("HTTP/1.").skip(1);
    heads
        .filter_map(|head| head.get(2..5)?.parse().ok())
        .collect()
}
