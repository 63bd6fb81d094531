//! `spin:key-value@3.0.0` and `wasi:keyvalue@0.2.0-draft2`: small values by key, in the stores that
//! the manifest grants by label. The product is one file of this host, or a Redis server.

pub mod embedded;
pub mod redis;
mod spin;
mod wasi;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use praxis_wasi::State;
use wasmtime::component::{Linker, ResourceTable};

use crate::capabilities::Capability;
use crate::manifest::Component;
use crate::manifest::limits::STORE_KEYS;

/// One key.
pub const KEY_BYTES_MAX: usize = 1_024;
/// One value.
pub const VALUE_BYTES_MAX: usize = 1_048_576;
/// Keys in one call of `wasi:keyvalue/batch`.
pub const BATCH_KEYS_MAX: usize = 1_000;
/// Values in one call of `wasi:keyvalue/batch`, together.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Keys on one page of `wasi:keyvalue/store.list-keys`.
pub const PAGE_KEYS_MAX: usize = 1_000;
/// Stores, and values seen for a swap, that one instance holds open at one time.
pub const OPEN_STORES_MAX: usize = 256;
/// Values seen for a swap with their keys, together: the host keeps them for the instance.
pub const SEEN_BYTES_MAX: usize = 16 << 20;
/// Keys that are read from the product together.
const READ_KEYS_MAX: usize = 64;

/// Where stores are kept. A store is there as soon as it is named, and empty.
///
/// What one call has written, every later call sees, and each call is atomic. The limits on keys
/// and values are the caller's concern.
#[async_trait]
pub trait KeyValueStore: Send + Sync {
    async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Whatever was there is replaced.
    async fn set(&self, store: &str, key: &str, value: Vec<u8>) -> Result<(), Error>;

    /// A key that is not there is no error.
    async fn delete(&self, store: &str, key: &str) -> Result<(), Error>;

    async fn exists(&self, store: &str, key: &str) -> Result<bool, Error>;

    /// All keys, in no particular order. [`Error::Failed`] if there are more than `count`.
    async fn keys(&self, store: &str, count: usize) -> Result<Vec<String>, Error>;

    /// The first `count` of the keys that come after `after`, sorted by their bytes; of all keys if
    /// it is `None`.
    async fn keys_after(
        &self,
        store: &str,
        after: Option<&str>,
        count: usize,
    ) -> Result<Vec<String>, Error>;

    /// One answer for each key, in their order.
    async fn get_many(&self, store: &str, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error>;

    async fn set_many(&self, store: &str, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error>;

    async fn delete_many(&self, store: &str, keys: Vec<String>) -> Result<(), Error>;

    /// Adds to a number that is kept as decimal text, and gives the sum; a key that is not there
    /// counts as zero. [`Error::Failed`] if the value is no such number, or the sum none of 64 bits.
    async fn increment(&self, store: &str, key: &str, delta: i64) -> Result<i64, Error>;

    /// Sets the key if its value is still `expected` (`None`: if it is not there), and says whether
    /// it did.
    async fn swap(
        &self,
        store: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<bool, Error>;
}

/// What went wrong, by what the guest is told.
#[derive(Debug)]
pub enum Error {
    /// The manifest does not grant the store.
    Denied,
    /// The instance has too many stores open.
    TooMany,
    /// The instance has too large values open for a swap.
    TooMuch,
    /// Too long a key or a value, or the product could not do it.
    Failed(String),
    /// Traps the guest: a handle that is not its own.
    Trap(wasmtime::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("the manifest does not grant the store"),
            Self::TooMany => write!(f, "more than {OPEN_STORES_MAX} stores are open"),
            Self::TooMuch => write!(
                f,
                "the values that are open for a swap have more than {SEEN_BYTES_MAX} bytes"
            ),
            Self::Failed(reason) => f.write_str(reason),
            Self::Trap(trap) => write!(f, "{trap}"),
        }
    }
}

impl std::error::Error for Error {}

fn trap(error: impl Into<wasmtime::Error>) -> Error {
    Error::Trap(error.into())
}

/// The capability: one product for every store.
pub struct KeyValue(Arc<dyn KeyValueStore>);

impl KeyValue {
    pub fn new(product: Arc<dyn KeyValueStore>) -> Self {
        Self(product)
    }
}

impl Capability for KeyValue {
    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "spin:key-value/key-value",
            "wasi:keyvalue/store",
            "wasi:keyvalue/batch",
            "wasi:keyvalue/atomics",
        ]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.key_value_stores.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        spin::add_to_linker(linker)?;
        wasi::add_to_linker(linker)
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.attach(Instance {
            labels: component.key_value_stores.clone(),
            keys_max: component.tool.praxis.limits.count(&STORE_KEYS),
            product: Arc::clone(&self.0),
            open: 0,
            seen_bytes: 0,
        });
    }
}

/// One instance's part: the stores that its component may open.
struct Instance {
    labels: Vec<String>,
    keys_max: usize,
    product: Arc<dyn KeyValueStore>,
    open: usize,
    seen_bytes: usize,
}

impl Instance {
    fn open(&mut self, label: &str) -> Result<Store, Error> {
        if !self.labels.iter().any(|granted| granted == label) {
            return Err(Error::Denied);
        }
        self.admit()?;
        let store = Store::new(Arc::clone(&self.product), label);
        Ok(Store {
            keys_max: self.keys_max,
            ..store
        })
    }

    /// Makes room for one handle more.
    fn admit(&mut self) -> Result<(), Error> {
        if self.open >= OPEN_STORES_MAX {
            return Err(Error::TooMany);
        }
        self.open += 1;
        Ok(())
    }

    /// Makes room for one more value seen for a swap.
    fn admit_seen(&mut self, bytes: usize) -> Result<(), Error> {
        if self.seen_bytes + bytes > SEEN_BYTES_MAX {
            return Err(Error::TooMuch);
        }
        self.admit()?;
        self.seen_bytes += bytes;
        Ok(())
    }

    fn release_seen(&mut self, bytes: usize) {
        self.open -= 1;
        self.seen_bytes -= bytes;
    }
}

struct View<'a> {
    instance: &'a mut Instance,
    table: &'a mut ResourceTable,
}

fn view(state: &mut State) -> View<'_> {
    let (instance, table) = state.part::<Instance>();
    View { instance, table }
}

/// A store as a guest holds it: within the limits.
#[derive(Clone)]
pub struct Store {
    product: Arc<dyn KeyValueStore>,
    label: Arc<str>,
    keys_max: usize,
}

impl Store {
    /// With as many keys in one piece as where the manifest says nothing.
    pub fn new(product: Arc<dyn KeyValueStore>, label: &str) -> Self {
        Self {
            product,
            label: label.into(),
            keys_max: usize::try_from(STORE_KEYS.default).unwrap_or(usize::MAX),
        }
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.product.get(&self.label, key).await
    }

    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), Error> {
        check_pair(key, &value)?;
        self.product.set(&self.label, key, value).await
    }

    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.product.delete(&self.label, key).await
    }

    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.product.exists(&self.label, key).await
    }

    /// All of them, if there are not too many.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        self.product.keys(&self.label, self.keys_max).await
    }

    /// The keys that come after `cursor`, sorted, and the cursor for those after them.
    pub async fn page(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        // One more than the page has: whether there is a next.
        let count = PAGE_KEYS_MAX + 1;
        let page = self.product.keys_after(&self.label, cursor, count);
        let mut keys = page.await?;
        let more = keys.len() > PAGE_KEYS_MAX;
        keys.truncate(PAGE_KEYS_MAX);
        let cursor = keys.last().filter(|_| more).cloned();
        Ok((keys, cursor))
    }

    /// The pairs of the keys, in their order.
    pub async fn get_many(
        &self,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        check_batch(keys.len(), 0)?;
        let mut values = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for keys in keys.chunks(READ_KEYS_MAX) {
            let read = self.product.get_many(&self.label, keys).await?;
            bytes += read.iter().flatten().map(Vec::len).sum::<usize>();
            check_batch(keys.len(), bytes)?;
            values.extend(read);
        }
        Ok(keys.into_iter().zip(values).collect())
    }

    pub async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        for (key, value) in &pairs {
            check_pair(key, value)?;
        }
        let bytes = pairs.iter().map(|(_, value)| value.len()).sum();
        check_batch(pairs.len(), bytes)?;
        self.product.set_many(&self.label, pairs).await
    }

    pub async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error> {
        check_batch(keys.len(), 0)?;
        self.product.delete_many(&self.label, keys).await
    }

    pub async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        check_pair(key, &[])?;
        self.product.increment(&self.label, key, delta).await
    }

    pub async fn swap(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<bool, Error> {
        check_pair(key, &value)?;
        self.product.swap(&self.label, key, expected, value).await
    }
}

/// More keys than are given in one piece.
fn too_many_keys(count: usize) -> Error {
    Error::Failed(format!(
        "the store has more than {count} keys (store_keys_max): read them in pages, with list-keys \
         of wasi:keyvalue"
    ))
}

fn check_pair(key: &str, value: &[u8]) -> Result<(), Error> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::Failed(format!(
            "a key has at most {KEY_BYTES_MAX} bytes"
        )));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::Failed(format!(
            "a value has at most {VALUE_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

fn check_batch(keys: usize, bytes: usize) -> Result<(), Error> {
    if keys > BATCH_KEYS_MAX || bytes > BATCH_BYTES_MAX {
        return Err(Error::Failed(format!(
            "a batch has at most {BATCH_KEYS_MAX} keys and {BATCH_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}
