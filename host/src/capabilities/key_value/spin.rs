//! `spin:key-value@3.0.0`.

use praxis_wasi::State;
use wasmtime::component::{Accessor, FutureReader, HasData, Linker, Resource, StreamReader};

use super::{Error, Store, View, trap, view};

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
        with: { "spin:key-value/key-value.store": super::super::Store },
        trappable_error_type: { "spin:key-value/key-value.error" => super::super::Error },
        require_store_data_send: true,
    });

    pub use spin::key_value::key_value::{
        Error, Host, HostStore, HostStoreWithStore, add_to_linker,
    };
}

pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    bindings::add_to_linker::<State, Link>(linker, view)
}

struct Link;

impl HasData for Link {
    type Data<'a> = View<'a>;
}

impl bindings::Host for View<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<bindings::Error> {
        Ok(match error {
            Error::Denied => bindings::Error::AccessDenied,
            Error::TooMany | Error::TooMuch => bindings::Error::StoreTableFull,
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
        self.instance.open -= 1;
        Ok(())
    }
}

impl Link {
    fn store<T: Send + 'static>(
        accessor: &Accessor<T, Self>,
        store: &Resource<Store>,
    ) -> Result<Store, Error> {
        accessor.with(|mut access| access.get().table.get(store).cloned().map_err(trap))
    }
}

impl<T: Send + 'static> bindings::HostStoreWithStore<T> for Link {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Error> {
        accessor.with(|mut access| {
            let view = access.get();
            let store = view.instance.open(&label)?;
            view.table.push(store).map_err(trap)
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
        Self::store(accessor, &store)?.set(&key, value).await
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
