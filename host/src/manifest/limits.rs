//! Limits that the manifest may set, each with what holds where it says nothing, and how far it may
//! go. docs/http.md lists them all: a test compares.

use std::collections::BTreeMap;

use super::document::Table;

/// A key of `tool.praxis` whose value is a number between two others, both included.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    pub key: &'static str,
    pub default: u64,
    pub least: u64,
    pub most: u64,
}

const fn limit(key: &'static str, default: u64, least: u64, most: u64) -> Limit {
    Limit {
        key,
        default,
        least,
        most,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// An hour.
const MS_MOST: u64 = 3_600_000;

/// Of `[component.X.tool.praxis]`: connections to one PostgreSQL database in use at one time.
pub const POSTGRES_CONNECTIONS: Limit = limit("postgres_connections_max", 16, 1, 16);
/// PostgreSQL databases in use at one time.
pub const POSTGRES_DATABASES: Limit = limit("postgres_databases_max", 8, 1, 64);
/// A result of PostgreSQL in one piece, and any one row.
pub const POSTGRES_RESULT_BYTES: Limit = limit("postgres_result_bytes_max", 64 * MIB, KIB, 2 * GIB);
/// Rows of a result of PostgreSQL in one piece.
pub const POSTGRES_RESULT_ROWS: Limit = limit("postgres_result_rows_max", 100_000, 1, 10_000_000);
/// Redis servers in use at one time.
pub const REDIS_SERVERS: Limit = limit("redis_servers_max", 8, 1, 64);
/// One reply of Redis.
pub const REDIS_REPLY_BYTES: Limit = limit("redis_reply_bytes_max", 16 * MIB, KIB, GIB);
/// Sockets and files that one instance has open at one time.
pub const DESCRIPTORS: Limit = limit("descriptors_max", 128, 1, 1_024);
/// Keys that are given in one piece.
pub const STORE_KEYS: Limit = limit("store_keys_max", 100_000, 1, 10_000_000);
/// Requests to other servers at one time.
pub const OUTBOUND_REQUESTS: Limit = limit("outbound_requests_max", 256, 1, 65_536);
/// Messages of one Redis trigger that are worked on at one time.
pub const MESSAGES_IN_FLIGHT: Limit = limit("messages_in_flight_max", 16, 1, 1_024);
/// Messages of one Redis trigger that wait.
pub const MESSAGES_QUEUED: Limit = limit("messages_queued_max", 1_024, 1, 1_000_000);
/// The bytes of those that wait and those that are worked on.
pub const MESSAGES_QUEUED_BYTES: Limit = limit("messages_queued_bytes_max", 64 * MIB, KIB, GIB);

/// All of `[component.X.tool.praxis]` that are of this form.
pub const OF_COMPONENTS: [&Limit; 12] = [
    &DESCRIPTORS,
    &POSTGRES_CONNECTIONS,
    &POSTGRES_DATABASES,
    &POSTGRES_RESULT_BYTES,
    &POSTGRES_RESULT_ROWS,
    &REDIS_SERVERS,
    &REDIS_REPLY_BYTES,
    &STORE_KEYS,
    &OUTBOUND_REQUESTS,
    &MESSAGES_IN_FLIGHT,
    &MESSAGES_QUEUED,
    &MESSAGES_QUEUED_BYTES,
];

/// Of `[application.tool.praxis]`: a request's line and headers together.
pub const HEAD_BYTES: Limit = limit("head_bytes_max", 32 * KIB, 8 * KIB, MIB);
/// The headers of a request.
pub const HEADERS: Limit = limit("headers_max", 100, 8, 1_000);
/// Time for a head, and for the next request on an open connection.
pub const HEAD_TIMEOUT: Limit = limit("head_timeout_ms", 10_000, 100, MS_MOST);
/// After so much waiting for a client, it has to have moved `slow_bytes_min`.
pub const SLOW_TIMEOUT: Limit = limit("slow_timeout_ms", 10_000, 100, MS_MOST);
pub const SLOW_BYTES: Limit = limit("slow_bytes_min", 10 * KIB, 1, GIB);
/// Connections of clients at one time.
pub const CONNECTIONS: Limit = limit("connections_max", 8_192, 1, 1_000_000);
/// How long requests under way may go on once the host is to stop.
pub const DRAIN_TIMEOUT: Limit = limit("drain_timeout_ms", 10_000, 1, MS_MOST);
/// Requests of all components to other servers at one time.
pub const ALL_OUTBOUND_REQUESTS: Limit = limit("outbound_requests_max", 1_024, 1, 65_536);
/// Connections to other servers that are open before one is closed after its use.
pub const OUTBOUND_CONNECTIONS: Limit = limit("outbound_connections_max", 512, 1, 65_536);
/// Keys and values of one store in the embedded product.
pub const STORE_BYTES: Limit = limit("store_bytes_max", GIB, MIB, 1_024 * GIB);

/// All of `[application.tool.praxis]`.
pub const OF_APPLICATIONS: [&Limit; 10] = [
    &HEAD_BYTES,
    &HEADERS,
    &HEAD_TIMEOUT,
    &SLOW_TIMEOUT,
    &SLOW_BYTES,
    &CONNECTIONS,
    &DRAIN_TIMEOUT,
    &ALL_OUTBOUND_REQUESTS,
    &OUTBOUND_CONNECTIONS,
    &STORE_BYTES,
];

/// What a table sets of its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<&'static str, u64>);

impl Limits {
    /// Notes a fault where a value is outside its bounds.
    pub(super) fn read(table: &mut Table<'_, '_>, limits: &[&'static Limit]) -> Self {
        let mut set = BTreeMap::new();
        for limit in limits {
            let Some(item) = table.item(limit.key) else {
                continue;
            };
            let Some(value) = item.number::<u64>() else {
                continue;
            };
            if (limit.least..=limit.most).contains(&value) {
                set.insert(limit.key, value);
            } else {
                let what = format!(
                    "{} is {value}; write a number from {} to {}",
                    item.name, limit.least, limit.most
                );
                item.report.fault(&item.span, what);
            }
        }
        Self(set)
    }

    pub fn of(&self, limit: &Limit) -> u64 {
        self.0.get(limit.key).copied().unwrap_or(limit.default)
    }

    /// The same, as a number of things in memory.
    pub fn count(&self, limit: &Limit) -> usize {
        usize::try_from(self.of(limit)).unwrap_or(usize::MAX)
    }

    /// Those that are not as they would be anyway, with what they are set to.
    pub fn changed<'a>(
        &'a self,
        limits: &'a [&'static Limit],
    ) -> impl Iterator<Item = (&'static Limit, u64)> + 'a {
        let all = limits.iter().map(|limit| (*limit, self.of(limit)));
        all.filter(|(limit, value)| *value != limit.default)
    }
}
