//! One kept-alive connection: as little as can ask and measure.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// Longer than any deadline of a contestant.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            stream,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Asks, reads the whole answer, and says how long that took. The answer has to be `200`.
    pub fn get(&mut self, path: &str) -> anyhow::Result<Duration> {
        Ok(self.ask(path)?.0)
    }

    /// The body of an answer of a server that says how long it is. The answer has to be `200`.
    pub fn text(&mut self, path: &str) -> anyhow::Result<String> {
        let (_, answer) = self.ask(path)?;
        let answer = String::from_utf8(answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no end of head")?;
        Ok(body.to_owned())
    }

    fn ask(&mut self, path: &str) -> anyhow::Result<(Duration, Vec<u8>)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let started = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            ensure!(read > 0, "the connection was closed");
            answer.extend_from_slice(&self.buffer[..read]);
            if is_whole(&answer)? {
                break;
            }
        }
        let took = started.elapsed();
        if !answer.starts_with(b"HTTP/1.1 200") {
            bail!("{path}: {}", String::from_utf8_lossy(&answer));
        }
        Ok((took, answer))
    }
}

fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&answer[..end]).context("the head is not text")?;
    let body = &answer[end + 4..];
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(body.len() >= value.trim().parse::<usize>()?);
        }
    }
    Ok(body.ends_with(b"0\r\n\r\n"))
}
