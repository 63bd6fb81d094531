//! `spin:key-value@3.0.0`: each store is a Redis hash.

use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue};
use praxis_wasi::State;
use wasmtime::component::{
    Accessor, FutureReader, HasData, Linker, Resource, ResourceTable, StreamReader,
};

use crate::capabilities::Capability;
use crate::capabilities::redis::{self, Server};
use crate::manifest::Component;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/spin/key-value"],
        inline: "
            package praxis:host-key-value;
            world imports {
                import spin:key-value/key-value@3.0.0;
            }
        ",
        world: "praxis:host-key-value/imports",
        imports: { default: async | trappable },
        with: { "spin:key-value/key-value.store": super::Store },
        trappable_error_type: { "spin:key-value/key-value.error" => super::Error },
        require_store_data_send: true,
    });

    pub use spin::key_value::key_value::{
        Error, Host, HostStore, HostStoreWithStore, add_to_linker,
    };
}

/// A store's hash is named this and its label.
const HASH_PREFIX: &str = "praxis:store:";
/// One value.
const VALUE_BYTES_MAX: usize = 1_048_576;
/// One key.
const KEY_BYTES_MAX: usize = 1_024;

/// The capability: one Redis server for every store.
pub struct KeyValue {
    server: Arc<Server>,
}

impl KeyValue {
    /// Fails if the address cannot be used; nothing is sent yet.
    pub fn new(redis_url: &str) -> Result<Self, redis::Error> {
        Ok(Self {
            server: Arc::new(Server::new(redis_url)?),
        })
    }
}

impl Capability for KeyValue {
    fn interfaces(&self) -> &'static [&'static str] {
        &["spin:key-value/key-value"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.key_value_stores.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        bindings::add_to_linker::<State, Link>(linker, |state| {
            let (instance, table) = state.part::<Instance>();
            View { instance, table }
        })
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.attach(Instance {
            labels: component.key_value_stores.clone(),
            server: Arc::clone(&self.server),
        });
    }
}

/// One instance's part: the stores that its component may open.
struct Instance {
    labels: Vec<String>,
    server: Arc<Server>,
}

impl Instance {
    fn open(&self, label: &str) -> Result<Store, Error> {
        if !self.labels.iter().any(|granted| granted == label) {
            return Err(Error::Denied);
        }
        Ok(Store::new(Arc::clone(&self.server), label))
    }
}

/// A store, as a guest holds it.
#[derive(Clone)]
pub struct Store {
    server: Arc<Server>,
    hash: Arc<str>,
}

/// What went wrong, by what the guest is told.
#[derive(Debug)]
pub enum Error {
    /// The manifest does not grant the store.
    Denied,
    /// Too long a key or a value, or Redis could not do it.
    Failed(String),
    /// Traps the guest: a handle that is not its own.
    Trap(wasmtime::Error),
}

impl Store {
    pub fn new(server: Arc<Server>, label: &str) -> Self {
        Self {
            server,
            hash: format!("{HASH_PREFIX}{label}").into(),
        }
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.ask(self.command("HGET").arg(key)).await
    }

    pub async fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
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
        let _: i64 = self.ask(self.command("HSET").arg(key).arg(value)).await?;
        Ok(())
    }

    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let _: i64 = self.ask(self.command("HDEL").arg(key)).await?;
        Ok(())
    }

    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.ask(self.command("HEXISTS").arg(key)).await
    }

    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        self.ask(&self.command("HKEYS")).await
    }

    fn command(&self, name: &str) -> Cmd {
        let mut command = ::redis::cmd(name);
        command.arg(&*self.hash);
        command
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let answer = self.server.ask(command).await;
        answer.map_err(|error| Error::Failed(error.to_string()))
    }
}

struct View<'a> {
    instance: &'a mut Instance,
    table: &'a mut ResourceTable,
}

struct Link;

impl HasData for Link {
    type Data<'a> = View<'a>;
}

impl bindings::Host for View<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<bindings::Error> {
        Ok(match error {
            Error::Denied => bindings::Error::AccessDenied,
            Error::Failed(reason) => {
                tracing::warn!(reason, "a key-value store failed");
                bindings::Error::Other(reason)
            }
            Error::Trap(trap) => return Err(trap),
        })
    }
}

impl bindings::HostStore for View<'_> {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl Link {
    fn store<T: Send + 'static>(
        accessor: &Accessor<T, Self>,
        store: &Resource<Store>,
    ) -> Result<Store, Error> {
        let store = accessor.with(|mut access| access.get().table.get(store).cloned());
        store.map_err(|error| Error::Trap(error.into()))
    }
}

impl<T: Send + 'static> bindings::HostStoreWithStore<T> for Link {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Error> {
        accessor.with(|mut access| {
            let view = access.get();
            let store = view.instance.open(&label)?;
            let pushed = view.table.push(store);
            pushed.map_err(|error| Error::Trap(error.into()))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        Self::store(accessor, &store)?.get(&key).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        Self::store(accessor, &store)?.set(&key, &value).await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> Result<(), Error> {
        Self::store(accessor, &store)?.delete(&key).await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> Result<bool, Error> {
        Self::store(accessor, &store)?.exists(&key).await
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(
        StreamReader<String>,
        FutureReader<Result<(), bindings::Error>>,
    )> {
        let keys = match Self::store(accessor, &store) {
            Ok(store) => store.keys().await,
            Err(error) => Err(error),
        };
        accessor.with(|mut access| {
            let (keys, end) = match keys {
                Ok(keys) => (keys, Ok(())),
                Err(error) => {
                    let error = bindings::Host::convert_error(&mut access.get(), error)?;
                    (Vec::new(), Err(error))
                }
            };
            Ok((
                StreamReader::new(&mut access, keys)?,
                FutureReader::new(&mut access, async { wasmtime::error::Ok(end) })?,
            ))
        })
    }
}
