//! The way from a host to PostgreSQL. It knows the statements that pass, and can kill the host at
//! named points: with an answer in its hands that the host never gets, or with a note that
//! PostgreSQL never gets. It can also cut the connections and hold up what passes.

mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use self::wire::Session;

const CHUNK_BYTES: usize = 32 << 10;
const DEAD_AFTER_MS: u64 = 50;
const STARTUP_BYTES_MAX: usize = 16 << 10;
/// Asks for encryption, and for its Kerberos form.
const WANTS_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Where a host can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// A booking is committed, and the host does not know.
    AfterInsert,
    /// The relay is about to learn what it has to publish.
    BeforePublish,
    /// It has published, and PostgreSQL does not know.
    AfterPublish,
    /// Events are handled, and the offset is not stored.
    BeforeOffset,
    /// A mail is sent, and the ledger does not know.
    BeforeSent,
}

impl Point {
    pub const ALL: [Self; 5] = [
        Self::AfterInsert,
        Self::BeforePublish,
        Self::AfterPublish,
        Self::BeforeOffset,
        Self::BeforeSent,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::AfterInsert => "after insert",
            Self::BeforePublish => "before publish",
            Self::AfterPublish => "after publish",
            Self::BeforeOffset => "before the offset",
            Self::BeforeSent => "before the ledger's mark",
        }
    }
}

/// The point at which the next host that comes there dies. Shared by all proxies.
pub struct Trap {
    armed: Mutex<Option<Point>>,
    sprung: watch::Sender<Option<usize>>,
    /// How often each point was passed.
    passed: Mutex<BTreeMap<Point, u64>>,
    kill: Box<dyn Fn(usize) + Send + Sync>,
}

impl Trap {
    /// `kill` ends the host of that number at once.
    pub fn new(kill: impl Fn(usize) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            armed: Mutex::default(),
            sprung: watch::Sender::new(None),
            passed: Mutex::default(),
            kill: Box::new(kill),
        })
    }

    /// Kills the next host that comes to the point, and says which; none if none came in time.
    pub async fn catch(&self, point: Point, within: Duration) -> Option<usize> {
        self.sprung.send_replace(None);
        *self.armed() = Some(point);
        let mut sprung = self.sprung.subscribe();
        let caught = tokio::time::timeout(within, sprung.wait_for(Option::is_some)).await;
        let caught = caught
            .ok()
            .and_then(|caught| caught.ok().and_then(|host| *host));
        // Not after all, if it is caught just now.
        let was_armed = self.armed().take().is_some();
        caught.or_else(|| {
            if was_armed {
                None
            } else {
                *self.sprung.borrow()
            }
        })
    }

    /// Somebody else saw a host come to a point.
    pub fn pass(&self, point: Point) {
        let mut passed = self.passed.lock().expect("nobody panics while counting");
        *passed.entry(point).or_default() += 1;
    }

    pub fn passed(&self) -> BTreeMap<Point, u64> {
        let passed = self.passed.lock();
        passed.expect("nobody panics while counting").clone()
    }

    /// A host has come to a point. True: it is dead.
    fn reached(&self, point: Point, host: usize) -> bool {
        self.pass(point);
        let mut armed = self.armed();
        if *armed != Some(point) {
            return false;
        }
        *armed = None;
        (self.kill)(host);
        self.sprung.send_replace(Some(host));
        true
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<Point>> {
        self.armed
            .lock()
            .expect("nobody panics while it holds the trap")
    }
}

/// The way of one host. Dropped: it ends.
pub struct Proxy {
    pub address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    cuts: watch::Sender<u64>,
    keeper: JoinHandle<()>,
}

/// What every connection has to know.
#[derive(Clone)]
struct Way {
    host: usize,
    port: u16,
    trap: Arc<Trap>,
    delay_ms: Arc<AtomicU64>,
}

impl Proxy {
    /// For the host of that number, to PostgreSQL at a port of 127.0.0.1.
    pub async fn start(host: usize, port: u16, trap: Arc<Trap>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no free port for a proxy")?;
        let address = listener.local_addr()?;
        let delay_ms = Arc::new(AtomicU64::new(0));
        let cuts = watch::Sender::new(0);
        let way = Way {
            host,
            port,
            trap,
            delay_ms: delay_ms.clone(),
        };
        let cut = cuts.clone();
        let keeper = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (way, mut cut) = (way.clone(), cut.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = way.lead(client) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            delay_ms,
            cuts,
            keeper,
        })
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Holds up whatever passes, either way; 0: not at all.
    pub fn delay(&self, ms: u64) {
        self.delay_ms.store(ms, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.keeper.abort();
        self.cut();
    }
}

impl Way {
    /// One connection, until either end is gone.
    async fn lead(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).await?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let startup = startup(&mut client).await?;
        server.write_all(&startup).await?;
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        let session = Mutex::new(Session::default());
        tokio::select! {
            ended = self.ask(client_read, server_write, &session) => ended,
            ended = self.answer(server_read, client_write, &session) => ended,
        }
    }

    async fn ask(
        &self,
        from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        session: &Mutex<Session>,
    ) -> io::Result<()> {
        let mut stream = Messages::of(from);
        while stream.more(&self.delay_ms).await? {
            let mut whole = 0;
            while let Some(length) = wire::message(&stream.bytes[whole..]) {
                let message = &stream.bytes[whole..whole + length];
                let point = lock(session).request(message);
                if point.is_some_and(|point| self.trap.reached(point, self.host)) {
                    to.write_all(&stream.bytes[..whole]).await?;
                    return dead().await;
                }
                whole += length;
            }
            to.write_all(&stream.bytes[..whole]).await?;
            stream.bytes.drain(..whole);
        }
        Ok(())
    }

    async fn answer(
        &self,
        from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        session: &Mutex<Session>,
    ) -> io::Result<()> {
        let mut stream = Messages::of(from);
        // Looked at already, and kept until the answer that it belongs to is whole.
        let mut held = Vec::new();
        while stream.more(&self.delay_ms).await? {
            let (mut whole, mut passed) = (0, 0);
            while let Some(length) = wire::message(&stream.bytes[whole..]) {
                let message = &stream.bytes[whole..whole + length];
                held.extend_from_slice(message);
                whole += length;
                let (point, withholds) = {
                    let mut session = lock(session);
                    (session.answer(message), session.withholds())
                };
                if point.is_some_and(|point| self.trap.reached(point, self.host)) {
                    return dead().await;
                }
                if !withholds {
                    passed = held.len();
                }
            }
            to.write_all(&held[..passed]).await?;
            held.drain(..passed);
            stream.bytes.drain(..whole);
        }
        Ok(())
    }
}

/// What has been read and not passed on yet.
struct Messages {
    from: OwnedReadHalf,
    bytes: Vec<u8>,
}

impl Messages {
    fn of(from: OwnedReadHalf) -> Self {
        Self {
            from,
            bytes: Vec::with_capacity(CHUNK_BYTES),
        }
    }

    /// Reads on; false at the end.
    async fn more(&mut self, delay_ms: &AtomicU64) -> io::Result<bool> {
        if self.from.read_buf(&mut self.bytes).await? == 0 {
            return Ok(false);
        }
        let delay = delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        Ok(true)
    }
}

/// The first message of a client, which has no kind. Nobody encrypts on a loopback address.
async fn startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let length = client.read_u32().await?;
        let rest = (length as usize)
            .checked_sub(4)
            .filter(|rest| *rest <= STARTUP_BYTES_MAX)
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut body = vec![0; rest];
        client.read_exact(&mut body).await?;
        let code = body.first_chunk().map(|code| u32::from_be_bytes(*code));
        if code.is_some_and(|code| WANTS_ENCRYPTION.contains(&code)) {
            client.write_all(b"N").await?;
            continue;
        }
        return Ok([&length.to_be_bytes()[..], &body].concat());
    }
}

/// Nothing is passed on. The host must not live to see that its connection ends.
async fn dead() -> io::Result<()> {
    sleep(Duration::from_millis(DEAD_AFTER_MS)).await;
    Ok(())
}

fn lock(session: &Mutex<Session>) -> std::sync::MutexGuard<'_, Session> {
    session
        .lock()
        .expect("nobody panics while it holds the session")
}
