//! Puts records into the log. Whoever publishes while others are being written waits for the next
//! transaction, and shares it: one commit for many handlers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use super::answered;
use super::driver::At;
use crate::capabilities::events::{Error, Header, Record, cloudevents};

/// Records that share a transaction; a batch is never divided.
const RECORDS_SHARED_MAX: usize = 1_024;

/// Batches that may wait before whoever publishes has to wait for a place.
const BATCHES_WAITING_MAX: usize = 1_024;

/// How long a batch may take, waiting included.
const PUBLISH_MS_MAX: u64 = 30_000;

/// How long the database may take for a transaction: those who wait behind it have as much again.
const APPEND_MS_MAX: u64 = 10_000;

/// The classes of errors that say that a value can't be kept: it is wrong, or too large, or a
/// trigger refuses it (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const OF_THE_RECORD: [&str; 3] = ["22", "54", "P0"];

/// Those that say how the server is: asking again for each batch would make it no better.
const OF_THE_SERVER: [&str; 4] = ["08", "53", "57", "58"];

/// The way into the log. Clones lead to the same one.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Batch>);

/// Rows by partition, in the one order in which everybody locks these.
pub type Rows = BTreeMap<At, Vec<Row>>;

/// A record as it is kept.
pub struct Row {
    key: String,
    headers: serde_json::Value,
    data: Vec<u8>,
}

/// As far as text in a database can hold it.
fn other(header: &Header) -> (String, serde_json::Value) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    let value = header.value.as_deref().map(text);
    (text(header.name.as_bytes()), value.into())
}

struct Batch {
    rows: Rows,
    written: oneshot::Sender<Result<(), Fault>>,
}

/// Why nothing of a batch was written.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The database can't keep a value, for this reason.
    Refused(String),
    /// A partition is gone: somebody deleted its topic.
    Gone,
    Unavailable(Arc<sqlx::Error>),
}

impl Row {
    pub fn new(record: &Record) -> Self {
        let headers = cloudevents::headers(record);
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()));
        // Of two of one name the last one is kept: ours.
        let headers: serde_json::Map<_, _> =
            record.others.iter().map(other).chain(headers).collect();
        Self {
            key: record.event.key.clone(),
            headers: headers.into(),
            data: record.event.data.clone().into_bytes(),
        }
    }
}

impl Writer {
    /// Writes until the last clone is dropped.
    pub fn start(pool: PgPool) -> Self {
        let (sender, waiting) = mpsc::channel(BATCHES_WAITING_MAX);
        tokio::spawn(run(pool, waiting));
        Self(sender)
    }

    /// Returns when the rows are durable, or why they are not.
    pub async fn write(&self, rows: Rows) -> Result<Result<(), Fault>, Error> {
        let (written, outcome) = oneshot::channel();
        let limit = Duration::from_millis(PUBLISH_MS_MAX);
        let writing = async {
            let sent = self.0.send(Batch { rows, written }).await;
            sent.map_err(|_| Error::unavailable("the log was closed"))?;
            outcome.await.map_err(Error::unavailable)
        };
        tokio::time::timeout(limit, writing)
            .await
            .map_err(Error::unavailable)?
    }
}

async fn run(pool: PgPool, mut waiting: mpsc::Receiver<Batch>) {
    while let Some(first) = waiting.recv().await {
        let mut records = first.records();
        let mut batches = vec![first];
        while records < RECORDS_SHARED_MAX
            && let Ok(next) = waiting.try_recv()
        {
            records += next.records();
            batches.push(next);
        }
        write(&pool, batches).await;
    }
}

async fn write(pool: &PgPool, mut batches: Vec<Batch>) {
    // Whoever stopped waiting was told that it failed, and may have published it anew.
    batches.retain(|batch| !batch.written.is_closed());
    if batches.is_empty() {
        return;
    }
    let written = append(pool, &batches).await;
    match written {
        // One may be to blame: the others must not suffer for it.
        Err(error) if batches.len() > 1 && !is_of_the_server(&error) => {
            write_each(pool, batches).await;
        }
        written => {
            let written = written.map_err(Fault::from);
            for batch in batches {
                batch.answer(written.clone());
            }
        }
    }
}

async fn write_each(pool: &PgPool, batches: Vec<Batch>) {
    let mut down = None;
    for batch in batches {
        if let Some(fault) = &down {
            batch.answer(Err(Fault::clone(fault)));
            continue;
        }
        let written = append(pool, std::slice::from_ref(&batch)).await;
        let is_down = written.as_ref().is_err_and(is_of_the_server);
        let written = written.map_err(Fault::from);
        if is_down {
            down = written.clone().err();
        }
        batch.answer(written);
    }
}

impl Batch {
    fn records(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    fn answer(self, written: Result<(), Fault>) {
        // Whoever published it may have stopped waiting.
        let _ = self.written.send(written);
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::Gone,
            sqlx::Error::Encode(cause) => Self::Refused(cause.to_string()),
            _ if is_of(&error, &OF_THE_RECORD) => Self::Refused(error.to_string()),
            _ => Self::Unavailable(Arc::new(error)),
        }
    }
}

/// Whether the server is to blame, or the way to it, and no record.
fn is_of_the_server(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::RowNotFound | sqlx::Error::Encode(_) => false,
        sqlx::Error::Database(_) => is_of(error, &OF_THE_SERVER),
        _ => true,
    }
}

fn is_of(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

async fn append(pool: &PgPool, batches: &[Batch]) -> sqlx::Result<()> {
    answered(APPEND_MS_MAX, append_all(pool, batches)).await
}

/// Writes the rows, moves the partitions on and wakes the readers, all or nothing.
async fn append_all(pool: &PgPool, batches: &[Batch]) -> sqlx::Result<()> {
    let mut by_partition: BTreeMap<&At, Vec<&Row>> = BTreeMap::new();
    for (at, rows) in batches.iter().flat_map(|batch| &batch.rows) {
        by_partition.entry(at).or_default().extend(rows);
    }
    let (topics, partitions): (Vec<_>, Vec<_>) = by_partition.keys().copied().cloned().unzip();
    let mut transaction = pool.begin().await?;
    let mut next: HashMap<At, i64> = sqlx::query_as(
        "select topic, partition, next_offset
        from event_partitions
        where (topic, partition) in (select * from unnest($1::text[], $2::int[]))
        order by topic, partition
        for update",
    )
    .bind(&topics)
    .bind(&partitions)
    .fetch_all(&mut *transaction)
    .await?
    .into_iter()
    .map(|(topic, partition, next): (String, i32, i64)| ((topic, partition), next))
    .collect();

    let mut columns = Columns::default();
    for (at, rows) in &by_partition {
        let next = next.get_mut(*at).ok_or(sqlx::Error::RowNotFound)?;
        for row in rows {
            columns.push(at, *next, row);
            *next += 1;
        }
    }
    let next: Vec<_> = by_partition.keys().map(|at| next[*at]).collect();
    // The time is taken while the partitions are locked: it grows with the offsets.
    sqlx::query(
        r#"with written as (
            insert into event_log (topic, partition, "offset", key, headers, data, published_at)
            select *, statement_timestamp()
            from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::jsonb[], $6::bytea[])
        ),
        moved as (
            update event_partitions p
            set next_offset = m.next_offset
            from unnest($7::text[], $8::int[], $9::bigint[]) as m (topic, partition, next_offset)
            where p.topic = m.topic and p.partition = m.partition
        )
        select pg_notify(
            'praxis_events', 'log/' || partition || '/' || next_offset || '/' || topic
        )
        from unnest($7::text[], $8::int[], $9::bigint[]) as m (topic, partition, next_offset)"#,
    )
    .bind(columns.topics)
    .bind(columns.partitions)
    .bind(columns.offsets)
    .bind(columns.keys)
    .bind(columns.headers)
    .bind(columns.data)
    .bind(topics)
    .bind(partitions)
    .bind(next)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Rows, a column at a time.
#[derive(Default)]
struct Columns<'a> {
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    keys: Vec<&'a str>,
    headers: Vec<&'a serde_json::Value>,
    data: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, at: &'a At, offset: i64, row: &'a Row) {
        self.topics.push(&at.0);
        self.partitions.push(at.1);
        self.offsets.push(offset);
        self.keys.push(&row.key);
        self.headers.push(&row.headers);
        self.data.push(&row.data);
    }
}
