//! Connections to one database, shared by all instances.
//!
//! Not sqlx's own pool: that one asks the server at every release, which halves the throughput.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use url::Url;

use super::error::Error;

/// Connections to one database, at most.
const CONNECTIONS_MAX: usize = 16;
/// Waiting for a connection when all are in use.
const LEASE_WAIT_MS: u64 = 2_000;
/// Opening a connection, authentication included.
const CONNECT_TIMEOUT_MS: u64 = 2_000;
/// A connection that was idle longer than this is asked whether it is still there.
const IDLE_UNCHECKED_MS: u64 = 500;
/// The answer to that question.
const PING_TIMEOUT_MS: u64 = 1_000;
/// One statement, enforced by the server.
const STATEMENT_TIMEOUT_MS: u64 = 30_000;
/// Prepared statements kept on each connection.
const STATEMENTS_CACHED_MAX: usize = 256;
/// What an address may say besides the place: nothing that reads a file or goes to another host.
const PARAMETERS: [&str; 2] = ["sslmode", "application_name"];

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
        let url = parse(address)?;
        let mut options = PgConnectOptions::from_str(address)
            .map_err(|_| Error::Connection("the address is not that of a database".into()))?
            .statement_cache_capacity(STATEMENTS_CACHED_MAX)
            .options([("statement_timeout", STATEMENT_TIMEOUT_MS.to_string())])
            .disable_statement_logging();
        if let Some(certificate) = ca_root {
            options = options.ssl_root_cert_from_pem(certificate.as_bytes().to_vec());
            if !url.query_pairs().any(|(name, _)| name == "sslmode") {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            }
        }
        Ok(Self {
            place: format!("{}:{}", options.get_host(), options.get_port()),
            options,
            idle: Mutex::default(),
            open: Arc::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        })
    }

    /// A connection of one's own until the lease is dropped.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
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

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Error> {
        let patience = Duration::from_millis(LEASE_WAIT_MS);
        let permit = timeout(patience, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| {
                Error::Connection(format!(
                    "no connection to {} came free within {LEASE_WAIT_MS} ms",
                    self.place
                ))
            })?;
        Ok(permit.expect("the semaphore is never closed"))
    }

    /// This thread's connection that was used last; else a new one; else, if there are as many as
    /// may be, another thread's.
    fn begin(&self) -> Beginning {
        let here = thread::current().id();
        let mut idle = self.idle();
        let ours = idle.iter().rposition(|idle| idle.connection.home == here);
        if let Some(ours) = ours {
            return Beginning::Idle(idle.remove(ours));
        }
        if self.open.load(Ordering::Relaxed) >= CONNECTIONS_MAX
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

fn parse(address: &str) -> Result<Url, Error> {
    let refused = |reason: &str| Error::Connection(format!("the address is not usable: {reason}"));
    let url = Url::parse(address)
        .map_err(|_| refused("only postgres://user:password@host:port/database is understood"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refused("its scheme is not postgres"));
    }
    match url.host_str() {
        None | Some("") => return Err(refused("it names no host")),
        Some(host) if host.contains(['%', ',']) => {
            return Err(refused("it must name one host"));
        }
        Some(_) => {}
    }
    for (name, _) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) {
            return Err(refused(&format!("the parameter {name} is not allowed")));
        }
    }
    Ok(url)
}

/// A connection in use. Dropped, it goes back to the pool; closed, it does not.
pub struct Lease {
    connection: Option<Connection>,
    is_fresh: bool,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_host_and_reads_no_file() {
        for address in [
            "postgres://u:p@127.0.0.1:5432/db",
            "postgresql://localhost/db?sslmode=disable&application_name=x",
            "postgres://u@[::1]:5433/db",
        ] {
            assert!(parse(address).is_ok(), "{address}");
        }
        for address in [
            "host=localhost user=postgres",
            "mysql://localhost/db",
            "postgres:///db",
            "postgres://%2Fvar%2Frun/db",
            "postgres://a,b/db",
            "postgres://localhost/db?host=/tmp",
            "postgres://localhost/db?hostaddr=10.0.0.1",
            "postgres://localhost/db?sslrootcert=/etc/passwd",
        ] {
            assert!(parse(address).is_err(), "{address}");
        }
    }
}
