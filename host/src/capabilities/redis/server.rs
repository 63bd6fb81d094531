//! The shared connections to one Redis server: one a thread, since where threads have runtimes of their own
//! the one that opened it hears the answers. Used elsewhere, each would be handed from thread to thread.
//!
//! Not the crate's `ConnectionManager`: that one answers the first command after an outage with the
//! failure of the past, and makes callers wait out its retries.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use tokio::time::timeout;

use super::bounded::Overrun;
use super::connect::{Driver, connect};
use crate::manifest::limits::REDIS_REPLY_BYTES;

/// Opening the connection, authentication included.
const CONNECT_TIMEOUT_MS: u64 = 500;
/// The answer to one command.
const RESPONSE_TIMEOUT_MS: u64 = 1_000;
/// After an attempt that failed, others fail with it for so long.
const RECONNECT_PAUSE_MS: u64 = 50;

/// With so many open ones, other threads use those.
const CONNECTIONS_MAX: usize = 8;

/// Commands that may be repeated when it is not known whether they were done.
const REPEATABLE_COMMANDS: [&str; 18] = [
    "DEL", "EXISTS", "EXPIRE", "GET", "HDEL", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HMGET",
    "HSET", "MGET", "PING", "SADD", "SET", "SMEMBERS", "SREM", "TTL",
];

pub struct Server {
    client: Client,
    /// Where it is, without credentials: for errors and logs.
    place: String,
    reply_bytes_max: u64,
    live: Mutex<Vec<Live>>,
    generations: AtomicU64,
    /// Held by the one who connects; the others wait for the outcome.
    connecting: tokio::sync::Mutex<Option<Attempt>>,
}

#[derive(Clone)]
struct Live {
    /// The thread that opened it.
    home: ThreadId,
    connection: MultiplexedConnection,
    generation: u64,
    overrun: Overrun,
    _driver: Arc<Driver>,
}

/// An attempt to connect that failed.
struct Attempt {
    at: Instant,
    reason: String,
}

/// Why a command has no answer.
enum Failure {
    TooLong,
    Driver(RedisError),
}

/// What went wrong, by what the guest is told.
#[derive(Debug)]
pub enum Error {
    /// The address cannot be used, or is not granted.
    Address,
    TooMany,
    /// The key holds something else, or the reply is not what the function gives.
    Type,
    /// No connection, or no answer in time.
    Unavailable(String),
    /// A reply on the connection was longer than this: it is closed.
    TooLong(u64),
    /// The server said no: its error begins with its code, such as `NOSCRIPT`.
    Refused(String),
    /// Traps the guest: a handle that is not its own.
    Trap(wasmtime::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address cannot be used, or is not granted"),
            Self::TooMany => f.write_str("too many different servers are in use"),
            Self::Type => f.write_str("the key or the reply is of another type"),
            Self::TooLong(bytes_max) => write!(
                f,
                "the connection was closed: a reply has more than {bytes_max} bytes \
                 (redis_reply_bytes_max)"
            ),
            Self::Unavailable(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::Trap(trap) => write!(f, "{trap}"),
        }
    }
}

impl std::error::Error for Error {}

impl Server {
    /// With the reply that a component may get where the manifest says nothing.
    pub fn new(address: &str) -> Result<Self, Error> {
        Self::bounded(address, REDIS_REPLY_BYTES.default)
    }

    /// The server of which no reply has more than `reply_bytes_max`, an element of it counting for
    /// 64 bytes besides its own.
    pub fn bounded(address: &str, reply_bytes_max: u64) -> Result<Self, Error> {
        let client = Client::open(address).map_err(|_| Error::Address)?;
        Ok(Self {
            place: client.get_connection_info().addr().to_string(),
            client,
            reply_bytes_max,
            live: Mutex::default(),
            generations: AtomicU64::new(0),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// Sends a command and waits for its reply. Fails at once while the server refuses connections,
    /// and finds it again by itself.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        match self.try_ask(command).await {
            // The server was restarted since the last command.
            Err(Failure::Driver(error))
                if error.is_connection_dropped() && is_repeatable(command) =>
            {
                self.try_ask(command).await
            }
            outcome => outcome,
        }
        .map_err(|failure| match failure {
            Failure::TooLong => Error::TooLong(self.reply_bytes_max),
            Failure::Driver(error) => self.name(&error),
        })
    }

    async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut live = self.connection().await.map_err(Failure::Driver)?;
        let outcome = command.query_async(&mut live.connection).await;
        outcome.map_err(|error: RedisError| {
            let is_too_long = live.overrun.load(Ordering::Relaxed);
            if is_too_long || error.is_unrecoverable_error() || error.is_timeout() {
                self.discard(live.generation);
            }
            if is_too_long {
                Failure::TooLong
            } else {
                Failure::Driver(error)
            }
        })
    }

    async fn connection(&self) -> Result<Live, RedisError> {
        if let Some(live) = self.nearest() {
            return Ok(live);
        }
        let mut last = self.connecting.lock().await;
        // Somebody else has connected meanwhile, or found that it is impossible.
        if let Some(live) = self.nearest() {
            return Ok(live);
        }
        if let Some(attempt) = &*last
            && attempt.at.elapsed() < Duration::from_millis(RECONNECT_PAUSE_MS)
        {
            let reason = attempt.reason.clone();
            return Err(RedisError::from((ErrorKind::Io, "no connection", reason)));
        }
        let overrun = Overrun::default();
        let attempt = connect(
            &self.client,
            Duration::from_millis(RESPONSE_TIMEOUT_MS),
            self.reply_bytes_max,
            Arc::clone(&overrun),
        );
        let attempt = timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), attempt).await;
        match attempt.unwrap_or_else(|late| Err(std::io::Error::from(late).into())) {
            Ok((connection, driver)) => {
                *last = None;
                let new = Live {
                    home: thread::current().id(),
                    connection,
                    generation: self.generations.fetch_add(1, Ordering::Relaxed),
                    overrun,
                    _driver: Arc::new(driver),
                };
                self.live().push(new.clone());
                Ok(new)
            }
            Err(error) => {
                *last = Some(Attempt {
                    at: Instant::now(),
                    reason: error.to_string(),
                });
                Err(error)
            }
        }
    }

    /// This thread's own; with many open ones, the first.
    fn nearest(&self) -> Option<Live> {
        let here = thread::current().id();
        let live = self.live();
        let ours = live.iter().find(|live| live.home == here);
        let any = || live.first().filter(|_| live.len() >= CONNECTIONS_MAX);
        ours.or_else(any).cloned()
    }

    /// The server was restarted, most likely: those that are as old are dead too.
    fn discard(&self, generation: u64) {
        self.live().retain(|live| live.generation > generation);
    }

    fn live(&self) -> MutexGuard<'_, Vec<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, error: &RedisError) -> Error {
        if error.code() == Some("WRONGTYPE") || error.kind() == ErrorKind::UnexpectedReturnType {
            return Error::Type;
        }
        if let Some(code) = error.code() {
            let detail = error.detail().unwrap_or_default();
            return Error::Refused(format!("{code} {detail}").trim_end().to_owned());
        }
        if error.is_unrecoverable_error() || error.is_io_error() {
            return Error::Unavailable(format!("Redis at {}: {error}", self.place));
        }
        Error::Refused(error.to_string())
    }
}

fn is_repeatable(command: &Cmd) -> bool {
    command.args_iter().next().is_some_and(|name| match name {
        ::redis::Arg::Simple(name) => REPEATABLE_COMMANDS
            .iter()
            .any(|command| name.eq_ignore_ascii_case(command.as_bytes())),
        _ => false,
    })
}
