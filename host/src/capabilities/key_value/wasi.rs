//! `wasi:keyvalue@0.2.0-draft2`: store, batch and atomics.

use praxis_wasi::State;
use wasmtime::component::{HasData, Linker, Resource};

use super::{Error, Store, View, trap, view};

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/wasi/keyvalue"],
        inline: "
            package praxis:host-wasi-key-value;
            world imports {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
            }
        ",
        world: "praxis:host-wasi-key-value/imports",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": super::super::Store,
            "wasi:keyvalue/atomics.cas": super::Cas,
        },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::super::Error },
        require_store_data_send: true,
    });

    pub use wasi::keyvalue::{atomics, batch, store};
}

use bindings::{atomics, batch, store};

/// A value as it was, to be replaced if it still is.
pub struct Cas {
    store: Store,
    key: String,
    seen: Option<Vec<u8>>,
}

pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<State, Link>(linker, view)?;
    batch::add_to_linker::<State, Link>(linker, view)?;
    atomics::add_to_linker::<State, Link>(linker, view)
}

struct Link;

impl HasData for Link {
    type Data<'a> = View<'a>;
}

impl View<'_> {
    fn bucket(&self, bucket: &Resource<Store>) -> Result<Store, Error> {
        self.table.get(bucket).cloned().map_err(trap)
    }

    fn keep(&mut self, cas: Cas) -> Result<Resource<Cas>, Error> {
        self.instance.admit_seen(cas.bytes())?;
        self.table.push(cas).map_err(trap)
    }

    fn forget(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Cas> {
        let cas = self.table.delete(cas)?;
        self.instance.release_seen(cas.bytes());
        Ok(cas)
    }
}

impl Cas {
    fn bytes(&self) -> usize {
        self.key.len() + self.seen.as_ref().map_or(0, Vec::len)
    }
}

impl store::Host for View<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Store>, Error> {
        let store = self.instance.open(&identifier)?;
        self.table.push(store).map_err(trap)
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<store::Error> {
        Ok(match error {
            Error::Denied => store::Error::AccessDenied,
            error @ (Error::TooMany | Error::TooMuch | Error::Failed(_)) => {
                let reason = error.to_string();
                tracing::warn!(reason, "a key-value store failed");
                store::Error::Other(reason)
            }
            Error::Trap(trap) => return Err(trap),
        })
    }
}

impl store::HostBucket for View<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.bucket(&bucket)?.get(&key).await
    }

    async fn set(
        &mut self,
        bucket: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        self.bucket(&bucket)?.set(&key, value).await
    }

    async fn delete(&mut self, bucket: Resource<Store>, key: String) -> Result<(), Error> {
        self.bucket(&bucket)?.delete(&key).await
    }

    async fn exists(&mut self, bucket: Resource<Store>, key: String) -> Result<bool, Error> {
        self.bucket(&bucket)?.exists(&key).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Store>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Error> {
        let (keys, cursor) = self.bucket(&bucket)?.page(cursor.as_deref()).await?;
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        self.instance.open -= 1;
        Ok(())
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Store>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        self.bucket(&bucket)?.get_many(keys).await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Store>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        self.bucket(&bucket)?.set_many(pairs).await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Store>,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        self.bucket(&bucket)?.delete_many(keys).await
    }
}

impl atomics::Host for View<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Store>,
        key: String,
        delta: i64,
    ) -> Result<i64, Error> {
        self.bucket(&bucket)?.increment(&key, delta).await
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas { store, key, seen } = self.forget(cas)?;
        let outcome = match store.swap(&key, seen, value).await {
            Ok(true) => return Ok(Ok(())),
            // The new handle knows the value as it is now.
            Ok(false) => store.get(&key).await,
            Err(error) => Err(error),
        };
        let again = outcome.and_then(|seen| self.keep(Cas { store, key, seen }));
        Ok(Err(match again {
            Ok(cas) => atomics::CasError::CasFailed(cas),
            Err(error) => atomics::CasError::StoreError(store::Host::convert_error(self, error)?),
        }))
    }
}

impl atomics::HostCas for View<'_> {
    async fn new(&mut self, bucket: Resource<Store>, key: String) -> Result<Resource<Cas>, Error> {
        let store = self.bucket(&bucket)?;
        let seen = store.get(&key).await?;
        self.keep(Cas { store, key, seen })
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.table.get(&cas).map_err(trap)?.seen.clone())
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.forget(cas)?;
        Ok(())
    }
}
