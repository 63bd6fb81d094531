//! Changes to the stores, within one transaction.

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use super::{Answer, Change, DONE, SIZES, TABLE};
use crate::capabilities::key_value::Error;

/// Both tables, and how much a store may hold.
pub struct Stores<'a> {
    values: Table<'a, (&'static str, &'static str), &'static [u8]>,
    sizes: Table<'a, &'static str, u64>,
    store_bytes_max: u64,
}

/// Makes the tables. Files of earlier versions have no sizes yet.
pub fn measure(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let values = transaction.open_table(TABLE)?;
    let mut sizes = transaction.open_table(SIZES)?;
    if !sizes.is_empty()? {
        return Ok(());
    }
    for entry in values.iter()? {
        let (place, value) = entry?;
        let (store, key) = place.value();
        let known = sizes.get(store)?.map_or(0, |size| size.value());
        sizes.insert(store, known + bytes(key, value.value()))?;
    }
    Ok(())
}

impl<'a> Stores<'a> {
    pub fn open(
        transaction: &'a WriteTransaction,
        store_bytes_max: u64,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            values: transaction.open_table(TABLE)?,
            sizes: transaction.open_table(SIZES)?,
            store_bytes_max,
        })
    }

    /// What the change has to say, or why it was not done: then nothing of it was.
    pub fn apply(&mut self, change: Change) -> Result<Result<Answer, Error>, redb::Error> {
        match change {
            Change::Set(store, pairs) => {
                if !self.make_room(&store, &pairs)? {
                    return Ok(Err(self.full(&store)));
                }
                for (key, value) in pairs {
                    self.insert(&store, &key, &value)?;
                }
            }
            Change::Delete(store, keys) => {
                for key in keys {
                    self.remove(&store, &key)?;
                }
            }
            Change::Increment(store, key, delta) => {
                let sum = match self.values.get((store.as_str(), key.as_str()))? {
                    None => Some(delta),
                    Some(value) => number(value.value()).and_then(|old| old.checked_add(delta)),
                };
                let Some(sum) = sum else {
                    return Ok(Err(Error::Failed(
                        "the value is no decimal number, or the sum has more than 64 bits".into(),
                    )));
                };
                let pair = (key, sum.to_string().into_bytes());
                let set = self.apply(Change::Set(store, vec![pair]))?;
                return Ok(set.map(|_| sum));
            }
            Change::Swap {
                store,
                key,
                expected,
                value,
            } => {
                let seen = self.values.get((store.as_str(), key.as_str()))?;
                let holds = seen.map(|value| value.value().to_vec()) == expected;
                if !holds {
                    return Ok(Ok(0));
                }
                return self.apply(Change::Set(store, vec![(key, value)]));
            }
        }
        Ok(Ok(DONE))
    }

    /// Whether the store holds no more than it may with these pairs, or no more than now.
    fn make_room(&self, store: &str, pairs: &[(String, Vec<u8>)]) -> Result<bool, redb::Error> {
        let mut more = 0;
        let mut less = 0;
        for (key, value) in pairs {
            more += bytes(key, value);
            if let Some(old) = self.values.get((store, key.as_str()))? {
                less += bytes(key, old.value());
            }
        }
        Ok(more <= less || self.size(store)? + more - less <= self.store_bytes_max)
    }

    fn full(&self, store: &str) -> Error {
        Error::Failed(format!(
            "the store {store:?} is full: its keys and values have {} bytes at most \
             (store_bytes_max)",
            self.store_bytes_max
        ))
    }

    fn size(&self, store: &str) -> Result<u64, redb::Error> {
        Ok(self.sizes.get(store)?.map_or(0, |size| size.value()))
    }

    fn insert(&mut self, store: &str, key: &str, value: &[u8]) -> Result<(), redb::Error> {
        let old = self.values.insert((store, key), value)?;
        let old = old.map_or(0, |old| bytes(key, old.value()));
        let size = self.size(store)? + bytes(key, value);
        self.sizes.insert(store, size.saturating_sub(old))?;
        Ok(())
    }

    fn remove(&mut self, store: &str, key: &str) -> Result<(), redb::Error> {
        let old = self.values.remove((store, key))?;
        let Some(old) = old.map(|old| bytes(key, old.value())) else {
            return Ok(());
        };
        let size = self.size(store)?.saturating_sub(old);
        self.sizes.insert(store, size)?;
        Ok(())
    }
}

fn bytes(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
