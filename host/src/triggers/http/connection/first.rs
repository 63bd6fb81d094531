//! The first bytes of a connection say what the client speaks.

use std::io;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// What a client of HTTP/2 begins with (RFC 9113, 3.4). No request of HTTP/1 does.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// As much as it takes to know.
#[derive(Default)]
pub struct First {
    bytes: [u8; PREFACE.len()],
    read: usize,
    taken: usize,
}

impl First {
    /// Reads until it is known. A client that goes before has spoken HTTP/1, if badly.
    pub async fn of(stream: &mut TcpStream) -> io::Result<Self> {
        let mut first = Self::default();
        while first.read < PREFACE.len() && PREFACE.starts_with(&first.bytes[..first.read]) {
            match stream.read(&mut first.bytes[first.read..]).await? {
                0 => break,
                count => first.read += count,
            }
        }
        Ok(first)
    }

    pub fn is_http_2(&self) -> bool {
        self.bytes[..self.read] == PREFACE
    }

    /// The next of them, `count` at most: each is given once.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let from = self.taken;
        self.taken = self.read.min(from + count);
        &self.bytes[from..self.taken]
    }
}
