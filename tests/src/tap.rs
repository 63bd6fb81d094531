//! A way to PostgreSQL that notes what a host asks: which statement, over which connection, in how many
//! round trips (the frontend's half of protocol 3.0, chapter 54).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A message begins with its kind; its length counts itself, and not the kind.
const HEAD_BYTES: usize = 5;
/// Asks for encryption, and for its Kerberos form. The first message of a client has no kind.
const WANTS_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// All that a client sent before it waited for an answer.
#[derive(Debug, Clone)]
pub struct Trip {
    pub connection: usize,
    /// What was prepared, by its text: a connection does so before it executes it for the first time.
    pub prepared: Vec<String>,
    /// What was executed, by its text.
    pub executed: Vec<String>,
}

/// Dropped: it takes no new connections.
pub struct Tap {
    pub address: SocketAddr,
    trips: Arc<Mutex<Vec<Trip>>>,
    keeper: JoinHandle<()>,
}

impl Tap {
    /// Opens a way to a PostgreSQL at a port of 127.0.0.1.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let trips: Arc<Mutex<Vec<Trip>>> = Arc::default();
        let noted = trips.clone();
        let keeper = tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((client, _)) = listener.accept().await {
                connection += 1;
                tokio::spawn(lead(client, port, connection, noted.clone()));
            }
        });
        Self {
            address,
            trips,
            keeper,
        }
    }

    /// What was asked since the last look, in order.
    pub fn take(&self) -> Vec<Trip> {
        std::mem::take(&mut lock(&self.trips))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn lead(client: TcpStream, port: u16, connection: usize, trips: Arc<Mutex<Vec<Trip>>>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    for stream in [&client, &server] {
        // What is small is passed on at once, as without the tap.
        stream.set_nodelay(true).ok();
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let frontend = Frontend {
        connection,
        ..Frontend::default()
    };
    tokio::select! {
        _ = ask(client_read, server_write, frontend, trips) => {}
        _ = answer(server_read, client_write) => {}
    }
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut frontend: Frontend,
    trips: Arc<Mutex<Vec<Trip>>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut looked_at = 0;
    while from.read_buf(&mut bytes).await? > 0 {
        while let Some(length) = frontend.message(&bytes[looked_at..]) {
            let message = &bytes[looked_at..looked_at + length];
            // Before it is passed on: who sees the answer finds the trip.
            if let Some(trip) = frontend.hear(message) {
                lock(&trips).push(trip);
            }
            looked_at += length;
        }
        to.write_all(&bytes[..looked_at]).await?;
        bytes.drain(..looked_at);
        looked_at = 0;
    }
    Ok(())
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}

/// What one client has going on. Statements are prepared once and run by their names.
#[derive(Default)]
struct Frontend {
    connection: usize,
    has_begun: bool,
    /// By name.
    prepared: HashMap<Vec<u8>, String>,
    /// By portal.
    bound: HashMap<Vec<u8>, String>,
    /// Since the last trip.
    preparing: Vec<String>,
    executed: Vec<String>,
}

impl Frontend {
    /// The length of the message that the bytes begin with, once all of it is there.
    fn message(&self, bytes: &[u8]) -> Option<usize> {
        let kind_bytes = usize::from(self.has_begun);
        let length: [u8; 4] = bytes.get(kind_bytes..kind_bytes + 4)?.try_into().ok()?;
        let length = kind_bytes + u32::from_be_bytes(length) as usize;
        (bytes.len() >= length).then_some(length)
    }

    /// A message; the trip that ends with it.
    fn hear(&mut self, message: &[u8]) -> Option<Trip> {
        if !self.has_begun {
            let code: [u8; 4] = message.get(4..8)?.try_into().ok()?;
            self.has_begun = !WANTS_ENCRYPTION.contains(&u32::from_be_bytes(code));
            return None;
        }
        let body = &message[HEAD_BYTES..];
        match message[0] {
            b'P' => {
                let (name, rest) = text(body)?;
                let (sql, _) = text(rest)?;
                let sql = String::from_utf8_lossy(sql).into_owned();
                self.preparing.push(sql.clone());
                self.prepared.insert(name.to_vec(), sql);
            }
            b'B' => {
                let (portal, rest) = text(body)?;
                let (name, _) = text(rest)?;
                let sql = self.prepared.get(name).cloned().unwrap_or_default();
                self.bound.insert(portal.to_vec(), sql);
            }
            b'E' => {
                let (portal, _) = text(body)?;
                let sql = self.bound.get(portal).cloned().unwrap_or_default();
                self.executed.push(sql);
            }
            b'Q' => {
                let (sql, _) = text(body)?;
                self.executed
                    .push(String::from_utf8_lossy(sql).into_owned());
                return Some(self.trip());
            }
            b'S' => return Some(self.trip()),
            _ => {}
        }
        None
    }

    fn trip(&mut self) -> Trip {
        Trip {
            connection: self.connection,
            prepared: std::mem::take(&mut self.preparing),
            executed: std::mem::take(&mut self.executed),
        }
    }
}

/// A text up to its zero byte, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn lock(trips: &Mutex<Vec<Trip>>) -> MutexGuard<'_, Vec<Trip>> {
    trips
        .lock()
        .expect("nobody panics while noting what was asked")
}
