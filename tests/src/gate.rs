//! A way to a server that can be shut, while the server keeps what it has in memory.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CHUNK_BYTES: usize = 16 << 10;

/// Forwards connections. Shut: those that are open end, new ones end at once.
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    delay_ms: Arc<AtomicU64>,
    keeper: JoinHandle<()>,
}

impl Gate {
    /// Opens a gate to a port of 127.0.0.1.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let (open, state) = watch::channel(true);
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = delay_ms.clone();
        let keeper = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, port, state.clone(), delay.clone()));
            }
        });
        Self {
            address,
            open,
            delay_ms,
            keeper,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, for what is not spoken to over HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds up whatever passes, either way, for so long; 0: not at all.
    pub fn delay(&self, ms: u64) {
        self.delay_ms.store(ms, Ordering::Relaxed);
    }

    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn forward(
    client: TcpStream,
    port: u16,
    mut open: watch::Receiver<bool>,
    delay_ms: Arc<AtomicU64>,
) {
    if !*open.borrow_and_update() {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // What is small is passed on at once, as without the gate.
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        _ = pass(client_read, server_write, &delay_ms) => {}
        _ = pass(server_read, client_write, &delay_ms) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay_ms: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        let delay = delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}
