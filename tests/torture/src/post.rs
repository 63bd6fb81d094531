//! A mail server that keeps what it takes: whose mail it was, and its Message-ID. Now and then it
//! takes a mail and says nothing, as one does that is cut off; it can be shut.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::checker::Mail;

const LINE_BYTES_MAX: usize = 1 << 20;
/// One mail of so many is taken without an answer.
const SILENT_EVERY: u64 = 400;

/// Dropped: it ends.
pub struct Post {
    pub address: SocketAddr,
    office: Arc<Office>,
    keeper: JoinHandle<()>,
}

#[derive(Default)]
struct Office {
    mails: Mutex<Vec<Mail>>,
    is_shut: AtomicBool,
    is_reliable: AtomicBool,
    taken: AtomicU64,
}

impl Post {
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no free port for a mail server")?;
        let address = listener.local_addr()?;
        let office = Arc::new(Office::default());
        let shared = office.clone();
        let keeper = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let office = shared.clone();
                tokio::spawn(async move { office.serve(client).await.ok() });
            }
        });
        Ok(Self {
            address,
            office,
            keeper,
        })
    }

    pub fn shut(&self, is_shut: bool) {
        self.office.is_shut.store(is_shut, Ordering::Relaxed);
    }

    /// From now on every mail is answered.
    pub fn be_reliable(&self) {
        self.office.is_reliable.store(true, Ordering::Relaxed);
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.office.mails().clone()
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Office {
    fn mails(&self) -> std::sync::MutexGuard<'_, Vec<Mail>> {
        self.mails
            .lock()
            .expect("nobody panics while it holds the mail")
    }

    /// One client (RFC 5321, as much of it as a client needs).
    async fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        client.write_all(b"220 torture\r\n").await?;
        let mut to = String::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            if client.read_until(b'\n', &mut line).await? == 0 || line.len() > LINE_BYTES_MAX {
                return Ok(());
            }
            if self.is_shut.load(Ordering::Relaxed) {
                return Ok(());
            }
            let command = String::from_utf8_lossy(&line).trim().to_owned();
            let verb = command.get(..4).unwrap_or_default().to_uppercase();
            let answer = match verb.as_str() {
                "RCPT" => {
                    let address = command.split(['<', '>']).nth(1);
                    to = address.unwrap_or_default().to_owned();
                    "250 ok\r\n"
                }
                "DATA" => {
                    client.write_all(b"354 go on\r\n").await?;
                    let message = read_mail(&mut client).await?;
                    self.mails().push(Mail {
                        to: to.clone(),
                        message,
                    });
                    let number = self.taken.fetch_add(1, Ordering::Relaxed);
                    let is_silent = number % SILENT_EVERY == SILENT_EVERY / 2;
                    if is_silent && !self.is_reliable.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    "250 taken\r\n"
                }
                "QUIT" => {
                    client.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                "EHLO" | "HELO" | "MAIL" | "RSET" | "NOOP" => "250 ok\r\n",
                _ => "502 what\r\n",
            };
            client.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Up to its end; answers with its Message-ID, without the brackets.
async fn read_mail(client: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut message = String::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if client.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(message);
        }
        let text = String::from_utf8_lossy(&line);
        if let Some((name, value)) = text.split_once(':')
            && message.is_empty()
            && name.eq_ignore_ascii_case("message-id")
        {
            message = value.trim().trim_matches(['<', '>']).to_owned();
        }
    }
}
