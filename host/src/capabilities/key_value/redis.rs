//! Stores on a Redis server: each is a hash.

use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue};
use async_trait::async_trait;

use super::{Error, KeyValueStore, too_many_keys};
use crate::capabilities::redis::{self, Server};

/// A store's hash is named this and its label.
const HASH_PREFIX: &str = "praxis:store:";
/// `KEYS[1]` the hash; `ARGV` the key, the new value, and what is expected, if anything is.
const SWAP: &str = "
    local seen = redis.call('HGET', KEYS[1], ARGV[1])
    if seen ~= (ARGV[3] or false) then return 0 end
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    return 1";

/// One reply: all keys of a store, or the values of a batch.
const REPLY_BYTES_MAX: u64 = 256 << 20;

pub struct OnRedis(Arc<Server>);

impl OnRedis {
    /// Fails if the address cannot be used; nothing is sent yet.
    pub fn new(address: &str) -> Result<Self, redis::Error> {
        Ok(Self(Arc::new(Server::bounded(address, REPLY_BYTES_MAX)?)))
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let answer = self.0.ask(command).await;
        answer.map_err(|error| Error::Failed(error.to_string()))
    }

    async fn all_keys(&self, store: &str) -> Result<Vec<String>, Error> {
        self.ask(&command("HKEYS", store)).await
    }
}

fn command(name: &str, store: &str) -> Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(hash(store));
    command
}

fn hash(store: &str) -> String {
    format!("{HASH_PREFIX}{store}")
}

#[async_trait]
impl KeyValueStore for OnRedis {
    async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.ask(command("HGET", store).arg(key)).await
    }

    async fn set(&self, store: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        let _: i64 = self.ask(command("HSET", store).arg(key).arg(value)).await?;
        Ok(())
    }

    async fn delete(&self, store: &str, key: &str) -> Result<(), Error> {
        let _: i64 = self.ask(command("HDEL", store).arg(key)).await?;
        Ok(())
    }

    async fn exists(&self, store: &str, key: &str) -> Result<bool, Error> {
        self.ask(command("HEXISTS", store).arg(key)).await
    }

    async fn keys(&self, store: &str, count: usize) -> Result<Vec<String>, Error> {
        let there: usize = self.ask(&command("HLEN", store)).await?;
        if there > count {
            return Err(too_many_keys(count));
        }
        self.all_keys(store).await
    }

    /// A hash has no order, and HSCAN would send the values, too: all names are read.
    async fn keys_after(
        &self,
        store: &str,
        after: Option<&str>,
        count: usize,
    ) -> Result<Vec<String>, Error> {
        let mut keys = self.all_keys(store).await?;
        if let Some(after) = after {
            keys.retain(|key| key.as_str() > after);
        }
        keys.sort_unstable();
        keys.truncate(count);
        Ok(keys)
    }

    async fn get_many(&self, store: &str, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(command("HMGET", store).arg(keys)).await
    }

    async fn set_many(&self, store: &str, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut command = command("HSET", store);
        for (key, value) in pairs {
            command.arg(key).arg(value);
        }
        let _: i64 = self.ask(&command).await?;
        Ok(())
    }

    async fn delete_many(&self, store: &str, keys: Vec<String>) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let _: i64 = self.ask(command("HDEL", store).arg(keys)).await?;
        Ok(())
    }

    async fn increment(&self, store: &str, key: &str, delta: i64) -> Result<i64, Error> {
        self.ask(command("HINCRBY", store).arg(key).arg(delta))
            .await
    }

    async fn swap(
        &self,
        store: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<bool, Error> {
        let mut command = ::redis::cmd("EVAL");
        command
            .arg(SWAP)
            .arg(1)
            .arg(hash(store))
            .arg(key)
            .arg(value);
        if let Some(expected) = expected {
            command.arg(expected);
        }
        self.ask(&command).await
    }
}
