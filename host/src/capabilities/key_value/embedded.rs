//! Stores in one file of this host. One thread writes: it commits what is waiting together, and
//! nobody is answered before it is on the disk.

mod stores;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use redb::{Database, ReadOnlyTable, ReadableDatabase as _, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use self::stores::{Stores, measure};
use super::{Error, KeyValueStore, too_many_keys};

const FILE: &str = "stores.redb";
/// Store and key, and the value.
const TABLE: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("values");
/// What the keys and values of each store have, together.
const SIZES: TableDefinition<&str, u64> = TableDefinition::new("sizes");
/// Pages of the file in memory.
const CACHE_BYTES_MAX: usize = 32 << 20;
/// Writes that wait for the thread.
const WRITES_QUEUED_MAX: usize = 1_024;
/// Writes in one commit.
const WRITES_PER_COMMIT_MAX: usize = 256;

/// Every store, in one file.
pub struct Embedded {
    database: Arc<Database>,
    writes: mpsc::Sender<Write>,
}

impl Embedded {
    /// Opens `stores.redb` in the folder, which is made if it is not there. Fails if another
    /// process has it open. No store has more than `store_bytes_max` of keys and values.
    pub fn open(folder: &Path, store_bytes_max: u64) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES_MAX)
            .create(&path)
            .with_context(|| format!("could not open the key-value stores {}", path.display()))?;
        let transaction = database.begin_write()?;
        measure(&transaction)?;
        transaction.commit()?;

        let database = Arc::new(database);
        let (writes, waiting) = mpsc::channel(WRITES_QUEUED_MAX);
        let writer = Arc::clone(&database);
        std::thread::Builder::new()
            .name("key-value".into())
            .spawn(move || write(&writer, waiting, store_bytes_max))?;
        Ok(Self { database, writes })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Values) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let database = Arc::clone(&self.database);
        let read = tokio::task::spawn_blocking(move || {
            let table = database.begin_read()?.open_table(TABLE)?;
            read(&table)
        });
        match read.await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(_) => Err(Error::Failed("reading was broken off".into())),
        }
    }

    async fn write(&self, change: Change) -> Result<Answer, Error> {
        let (done, answer) = oneshot::channel();
        let stopped = || Error::Failed("the key-value stores are closed".into());
        let write = Write { change, done };
        self.writes.send(write).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

type Values = ReadOnlyTable<(&'static str, &'static str), &'static [u8]>;

/// The store's keys, `count` at most; with `after`, those that follow it. No more is read.
fn names(
    table: &Values,
    store: &str,
    after: Option<&str>,
    count: usize,
) -> Result<Vec<String>, redb::Error> {
    let first = match after {
        Some(after) => Bound::Excluded((store, after)),
        None => Bound::Included((store, "")),
    };
    let mut keys = Vec::new();
    let range = table.range::<(&str, &str)>((first, Bound::Unbounded))?;
    for entry in range.take(count) {
        let (place, _) = entry?;
        let (of, key) = place.value();
        if of != store {
            break;
        }
        keys.push(key.to_owned());
    }
    Ok(keys)
}

fn failed(error: &redb::Error) -> Error {
    Error::Failed(format!("the key-value stores could not be used: {error}"))
}

/// A change, and whom to tell.
struct Write {
    change: Change,
    done: oneshot::Sender<Result<Answer, Error>>,
}

enum Change {
    Set(String, Vec<(String, Vec<u8>)>),
    Delete(String, Vec<String>),
    Increment(String, String, i64),
    Swap {
        store: String,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    },
}

/// What a change has to say: a sum, or one for done and zero for not done.
type Answer = i64;

const DONE: Answer = 1;

/// Until nobody can ask any more.
fn write(database: &Database, mut waiting: mpsc::Receiver<Write>, store_bytes_max: u64) {
    let mut batch = Vec::new();
    while waiting.blocking_recv_many(&mut batch, WRITES_PER_COMMIT_MAX) > 0 {
        let (changes, tellers): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .map(|write| (write.change, write.done))
            .unzip();
        let answers = commit(database, changes, store_bytes_max);
        match answers {
            Ok(answers) => {
                for (teller, answer) in tellers.into_iter().zip(answers) {
                    // Whoever asked may have been stopped meanwhile.
                    let _ = teller.send(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the key-value stores could not be written");
                for teller in tellers {
                    let _ = teller.send(Err(failed(&error)));
                }
            }
        }
    }
}

/// All of them, or none.
fn commit(
    database: &Database,
    changes: Vec<Change>,
    store_bytes_max: u64,
) -> Result<Vec<Result<Answer, Error>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut answers = Vec::with_capacity(changes.len());
    {
        let mut stores = Stores::open(&transaction, store_bytes_max)?;
        for change in changes {
            answers.push(stores.apply(change)?);
        }
    }
    transaction.commit()?;
    Ok(answers)
}

#[async_trait]
impl KeyValueStore for Embedded {
    async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (store, key) = (store.to_owned(), key.to_owned());
        self.read(move |table| {
            let value = table.get((store.as_str(), key.as_str()))?;
            Ok(value.map(|value| value.value().to_vec()))
        })
        .await
    }

    async fn set(&self, store: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        self.set_many(store, vec![(key.to_owned(), value)]).await
    }

    async fn delete(&self, store: &str, key: &str) -> Result<(), Error> {
        self.delete_many(store, vec![key.to_owned()]).await
    }

    async fn exists(&self, store: &str, key: &str) -> Result<bool, Error> {
        let (store, key) = (store.to_owned(), key.to_owned());
        self.read(move |table| Ok(table.get((store.as_str(), key.as_str()))?.is_some()))
            .await
    }

    async fn keys(&self, store: &str, count: usize) -> Result<Vec<String>, Error> {
        let one_more = count.saturating_add(1);
        let keys = self.keys_after(store, None, one_more).await?;
        if keys.len() > count {
            return Err(too_many_keys(count));
        }
        Ok(keys)
    }

    async fn keys_after(
        &self,
        store: &str,
        after: Option<&str>,
        count: usize,
    ) -> Result<Vec<String>, Error> {
        let store = store.to_owned();
        let after = after.map(str::to_owned);
        self.read(move |table| names(table, &store, after.as_deref(), count))
            .await
    }

    async fn get_many(&self, store: &str, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let (store, keys) = (store.to_owned(), keys.to_vec());
        self.read(move |table| {
            let mut values = Vec::with_capacity(keys.len());
            for key in &keys {
                let value = table.get((store.as_str(), key.as_str()))?;
                values.push(value.map(|value| value.value().to_vec()));
            }
            Ok(values)
        })
        .await
    }

    async fn set_many(&self, store: &str, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        self.write(Change::Set(store.to_owned(), pairs)).await?;
        Ok(())
    }

    async fn delete_many(&self, store: &str, keys: Vec<String>) -> Result<(), Error> {
        self.write(Change::Delete(store.to_owned(), keys)).await?;
        Ok(())
    }

    async fn increment(&self, store: &str, key: &str, delta: i64) -> Result<i64, Error> {
        let change = Change::Increment(store.to_owned(), key.to_owned(), delta);
        self.write(change).await
    }

    async fn swap(
        &self,
        store: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<bool, Error> {
        let change = Change::Swap {
            store: store.to_owned(),
            key: key.to_owned(),
            expected,
            value,
        };
        Ok(self.write(change).await? == DONE)
    }
}
