//! Connections to one database, shared by all instances.
//!
//! Not sqlx's own pool: that one asks the server at every release, which halves the throughput.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::Error;
use super::options;
use super::share::Permit;

/// Connections to one database that whoever comes first may have, beside those that each
/// component has to itself.
const CONNECTIONS_SHARED_MAX: usize = 12;
/// From so many open ones on, another thread's idle one is taken before one more is opened.
const CONNECTIONS_OPEN_MIN: usize = 16;
/// Opening a connection, authentication included.
const CONNECT_TIMEOUT_MS: u64 = 2_000;
/// A connection that was idle longer than this is asked whether it is still there.
const IDLE_UNCHECKED_MS: u64 = 500;
/// The answer to that question.
const PING_TIMEOUT_MS: u64 = 1_000;

pub struct Pool {
    options: PgConnectOptions,
    /// Where it leads, without credentials: for errors and logs.
    place: String,
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Connection {
    wire: PgConnection,
    /// The thread that opened it. Where threads have runtimes of their own, it is the one that
    /// hears the server's answers: used elsewhere, each answer is handed from thread to thread.
    home: ThreadId,
    _place: Place,
}

/// One of the connections that may be open.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a lease begins with.
enum Beginning {
    Idle(Idle),
    Place(Place),
}

impl Pool {
    /// A pool for an address such as `postgres://user:password@host:5432/database?sslmode=require`.
    /// With a certificate (PEM) the server must show one that it signed.
    pub fn new(address: &str, ca_root: Option<&str>) -> Result<Self, Error> {
        let options = options::of(address, ca_root)?;
        Ok(Self {
            place: format!("{}:{}", options.get_host(), options.get_port()),
            options,
            idle: Mutex::default(),
            open: Arc::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS_SHARED_MAX)),
        })
    }

    /// Where it leads, without credentials.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What those hold who have more than their own.
    pub fn permits(&self) -> Arc<Semaphore> {
        Arc::clone(&self.permits)
    }

    /// A connection until the lease is dropped.
    pub async fn lease(self: &Arc<Self>, permit: Permit) -> Result<Lease, Error> {
        let (connection, is_fresh) = loop {
            match self.begin() {
                Beginning::Place(place) => break (self.connect(place).await?, true),
                Beginning::Idle(idle) => {
                    if let Some(connection) = checked(idle).await {
                        break (connection, false);
                    }
                    // The server was restarted, most likely: the others are dead too.
                    self.forget_idle();
                }
            }
        };
        Ok(Lease {
            connection: Some(connection),
            is_fresh,
            pool: Arc::clone(self),
            _permit: permit,
        })
    }

    /// This thread's connection that was used last; else a new one; else, if there are many,
    /// another thread's.
    fn begin(&self) -> Beginning {
        let here = thread::current().id();
        let mut idle = self.idle();
        let ours = idle.iter().rposition(|idle| idle.connection.home == here);
        if let Some(ours) = ours {
            return Beginning::Idle(idle.remove(ours));
        }
        if self.open.load(Ordering::Relaxed) >= CONNECTIONS_OPEN_MIN
            && let Some(theirs) = idle.pop()
        {
            return Beginning::Idle(theirs);
        }
        // Counted while nobody else can look.
        self.open.fetch_add(1, Ordering::Relaxed);
        Beginning::Place(Place(Arc::clone(&self.open)))
    }

    /// One of them turned out to be dead or out of date: the others will be too.
    fn forget_idle(&self) {
        self.idle().clear();
    }

    async fn connect(&self, place: Place) -> Result<Connection, Error> {
        let patience = Duration::from_millis(CONNECT_TIMEOUT_MS);
        match timeout(patience, PgConnection::connect_with(&self.options)).await {
            Ok(Ok(wire)) => Ok(Connection {
                wire,
                home: thread::current().id(),
                _place: place,
            }),
            Ok(Err(error)) => Err(Error::Connection(format!(
                "could not connect to {}: {error}",
                self.place
            ))),
            Err(_) => Err(Error::Connection(format!(
                "could not connect to {} within {CONNECT_TIMEOUT_MS} ms",
                self.place
            ))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection, if it is still there.
async fn checked(idle: Idle) -> Option<Connection> {
    let Idle {
        mut connection,
        since,
    } = idle;
    if since.elapsed() < Duration::from_millis(IDLE_UNCHECKED_MS) {
        return Some(connection);
    }
    let patience = Duration::from_millis(PING_TIMEOUT_MS);
    match timeout(patience, connection.wire.ping()).await {
        Ok(Ok(())) => Some(connection),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// A connection in use. Dropped, it goes back to the pool; closed, it does not.
pub struct Lease {
    connection: Option<Connection>,
    is_fresh: bool,
    pool: Arc<Pool>,
    _permit: Permit,
}

impl Lease {
    pub fn connection(&mut self) -> &mut PgConnection {
        let connection = self.connection.as_mut();
        let connection = connection.expect("a lease holds its connection until it is dropped");
        &mut connection.wire
    }

    /// Whether it was opened for this lease, and so cannot have died of old age.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Forgets the pool's idle connections, which are as old as this one or older.
    pub fn forget_others(&self) {
        self.pool.forget_idle();
    }

    /// Throws the connection away: nobody knows what state it is in.
    pub fn close(mut self) {
        self.connection = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.idle().push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }
}
