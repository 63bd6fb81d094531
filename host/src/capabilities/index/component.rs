//! The indexes, as components see them.

use praxis_wasi::State;
use wasmtime::component::{Accessor, HasData, Linker};

use super::bindings::praxis::index::{documents, generations, search, types};
use super::{
    Change, Document, Error, Field, Generations, Indexes, Outcome, Page, Query, Replaced,
    Replacement,
};
use crate::capabilities::Capability;
use crate::manifest::Component;

impl Capability for Indexes {
    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "praxis:index/documents",
            "praxis:index/generations",
            "praxis:index/search",
        ]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.tool.praxis.indexes.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        fn part(state: &mut State) -> &mut Part {
            state.part::<Part>().0
        }
        types::add_to_linker::<State, Granted>(linker, part)?;
        documents::add_to_linker::<State, Granted>(linker, part)?;
        generations::add_to_linker::<State, Granted>(linker, part)?;
        search::add_to_linker::<State, Granted>(linker, part)
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.attach(Part {
            granted: component.tool.praxis.indexes.clone(),
            indexes: self.clone(),
        });
    }
}

/// One instance's grants.
struct Part {
    granted: Vec<String>,
    indexes: Indexes,
}

struct Granted;

impl HasData for Granted {
    type Data<'a> = &'a mut Part;
}

/// All indexes, if this one is granted to the instance.
fn granted<T>(accessor: &Accessor<T, Granted>, index: &str) -> Result<Indexes, Error> {
    accessor.with(|mut access| {
        let part = access.get();
        if part.granted.iter().any(|granted| granted == index) {
            Ok(part.indexes.clone())
        } else {
            Err(Error::NotGranted(index.to_owned()))
        }
    })
}

impl<T: Send + 'static> documents::HostWithStore<T> for Granted {
    async fn apply(
        accessor: &Accessor<T, Self>,
        index: String,
        changes: Vec<Change>,
    ) -> Result<Vec<Outcome>, Error> {
        granted(accessor, &index)?.apply(&index, &changes).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        index: String,
        id: String,
    ) -> Result<Option<Vec<Field>>, Error> {
        granted(accessor, &index)?.get(&index, &id).await
    }

    async fn scan(
        accessor: &Accessor<T, Self>,
        index: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let indexes = granted(accessor, &index)?;
        indexes.scan(&index, after.as_deref(), limit).await
    }

    async fn replace(
        accessor: &Accessor<T, Self>,
        index: String,
        replacement: Replacement,
    ) -> Result<Replaced, Error> {
        let indexes = granted(accessor, &index)?;
        indexes.replace(&index, replacement).await
    }
}

impl<T: Send + 'static> generations::HostWithStore<T> for Granted {
    async fn look(accessor: &Accessor<T, Self>, index: String) -> Result<Generations, Error> {
        granted(accessor, &index)?.generations(&index).await
    }

    async fn begin(accessor: &Accessor<T, Self>, index: String) -> Result<u64, Error> {
        granted(accessor, &index)?.begin(&index).await
    }

    async fn load(
        accessor: &Accessor<T, Self>,
        index: String,
        generation: u64,
        changes: Vec<Change>,
    ) -> Result<Vec<Outcome>, Error> {
        let indexes = granted(accessor, &index)?;
        indexes.load(&index, generation, &changes).await
    }

    async fn scan(
        accessor: &Accessor<T, Self>,
        index: String,
        generation: u64,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let indexes = granted(accessor, &index)?;
        let after = after.as_deref();
        indexes.scan_of(&index, generation, after, limit).await
    }

    async fn switch(
        accessor: &Accessor<T, Self>,
        index: String,
        generation: u64,
    ) -> Result<(), Error> {
        granted(accessor, &index)?.switch(&index, generation).await
    }

    async fn remove(
        accessor: &Accessor<T, Self>,
        index: String,
        generation: u64,
    ) -> Result<(), Error> {
        let indexes = granted(accessor, &index)?;
        indexes.remove(&index, generation).await
    }
}

impl<T: Send + 'static> search::HostWithStore<T> for Granted {
    async fn run(accessor: &Accessor<T, Self>, index: String, query: Query) -> Result<Page, Error> {
        granted(accessor, &index)?.search(&index, &query).await
    }
}

impl documents::Host for &mut Part {}
impl generations::Host for &mut Part {}
impl search::Host for &mut Part {}

impl types::Host for &mut Part {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<types::Error> {
        Ok(match error {
            Error::NotGranted(index) => types::Error::NotGranted(index),
            Error::BadField(field) => types::Error::BadField(field),
            Error::Invalid(why) => types::Error::Invalid(why),
            Error::Conflict(which) => types::Error::Conflict(which),
            Error::Unavailable(source) => {
                let error = anyhow::Error::from_boxed(source);
                tracing::warn!(error = format!("{error:#}"), "the index is unavailable");
                types::Error::Unavailable
            }
        })
    }
}
