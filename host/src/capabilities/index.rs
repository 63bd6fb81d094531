//! Documents that can be searched by place, term, range and words: `praxis:index`.
//!
//! [`Indexes`] checks what a caller asks for against the declared schema, once; the products
//! behind [`Index`] rely on it.

mod bindings;
mod component;
pub mod cursor;
pub mod embedded;
pub mod geo;
pub mod opensearch;
pub mod schema;
pub mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

pub use bindings::praxis::index::documents::{
    Change, Content, Document, Outcome, Replaced, Replacement, SourceVersion,
};
pub use bindings::praxis::index::generations::{Beside, Role, State as Generations};
pub use bindings::praxis::index::search::{
    Clause, Counts, DateRange, DatesFacet, Facet, Factor, Flag, Gauss, GeoDistance, Hit,
    NumberValue, Order, Page, Query, Terms, ValueCount, ValuesFacet, Words, WordsMatch,
};
pub use bindings::praxis::index::types::{Field, GeoPoint, Value};
pub use cursor::{Fingerprint, Position};
pub use schema::Schema;

use crate::manifest::FieldType;

/// A search product that keeps documents.
///
/// What it is given is checked: the index is declared, the fields fit its schema, no limit is
/// broken. So an adapter answers [`Error::Unavailable`] or nothing worse.
#[async_trait]
pub trait Index: Send + Sync {
    /// Applies changes in order; one outcome each. A change whose version is not newer than the
    /// one held for its source is [`Outcome::Stale`] and leaves no trace. Once this returns,
    /// `search` sees what was applied and a restart does not lose it. On an error, any of the
    /// changes may have been applied: apply all of them again.
    async fn apply(&self, index: &str, changes: &[Change]) -> Result<Vec<Outcome>, Error>;

    /// All fields of the document, by name.
    async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error>;

    /// The first `limit` documents by id strictly after `after`, their versions by source and their
    /// fields by name.
    async fn scan(
        &self,
        index: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error>;

    /// Puts what it becomes in the place of what was seen, or does nothing if that is not what is
    /// held. As lasting and as soon to be seen as what [`Index::apply`] does.
    async fn replace(&self, index: &str, replacement: &Replacement) -> Result<Replaced, Error>;

    /// The first `query.limit` hits strictly after `after`, in the query's order, then by id.
    /// A document without the field of a clause does not match it; without the field of a gauss
    /// factor, that factor is 1.
    async fn search(
        &self,
        index: &str,
        query: &Query,
        after: Option<&Position>,
    ) -> Result<Found, Error>;

    /// Which generation answers, and which stands beside it. What [`Index::apply`] and
    /// [`Index::replace`] write, they write to both; all else is of the one that answers. A
    /// replacement is made in the one beside, too, if the document is there as it was seen.
    async fn generations(&self, index: &str) -> Result<Generations, Error>;

    /// Begins an empty generation. When this returns, nobody writes any more without writing there.
    async fn begin(&self, index: &str) -> Result<u64, Error>;

    /// As [`Index::apply`], into the generation that is being built and no other.
    async fn load(
        &self,
        index: &str,
        generation: u64,
        changes: &[Change],
    ) -> Result<Vec<Outcome>, Error>;

    /// As [`Index::scan`], of that generation.
    async fn scan_of(
        &self,
        index: &str,
        generation: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error>;

    /// The one beside and the one that answers change places, for all at one moment; the latter is
    /// kept as the previous one.
    async fn switch(&self, index: &str, generation: u64) -> Result<(), Error>;

    /// Takes away the one beside.
    async fn remove(&self, index: &str, generation: u64) -> Result<(), Error>;

    /// Whether it can answer now.
    async fn health(&self) -> Result<(), Error>;
}

/// The generation that every index begins with.
const GENERATION_FIRST: u64 = 1;

impl Generations {
    /// Whether it answers, or stands beside the one that does.
    fn has(&self, generation: u64) -> bool {
        let beside = self.beside.map(|beside| beside.generation);
        generation == self.current || Some(generation) == beside
    }
}

/// The number of the next generation, where there is room for one.
fn next_generation(state: &Generations) -> Result<u64, Error> {
    let generation = state.current + 1;
    match state.beside {
        None => Ok(generation),
        Some(_) => Err(conflict(generation, "free to begin", state)),
    }
}

/// What a generation is called for, and which there are: for errors.
fn conflict(generation: u64, wanted: &str, state: &Generations) -> Error {
    Error::Conflict(format!(
        "generation {generation} is not {wanted}: {}",
        shown(state)
    ))
}

fn shown(state: &Generations) -> String {
    let current = state.current;
    match state.beside {
        None => format!("generation {current} answers, and there is none beside it"),
        Some(Beside { generation, role }) => {
            let role = match role {
                Role::Building => "being built",
                Role::Previous => "kept as the previous one",
            };
            format!("generation {current} answers, and {generation} is {role}")
        }
    }
}

/// What [`Index::search`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Of the whole query, not of this page. Exact up to [`schema::TOTAL_EXACT_MAX`], a lower
    /// bound beyond.
    pub total: u64,
    /// One for each of the query's facets, of the whole query.
    pub facets: Vec<Counts>,
    /// Where the last of these hits stands, if there are more behind it.
    pub next: Option<Position>,
}

/// What the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ask for the grant in the manifest.
    #[error("the index {0:?} is not granted")]
    NotGranted(String),
    /// Correct the field's name or type.
    #[error("bad field: {0}")]
    BadField(String),
    /// Correct the request: it breaks a limit, or its cursor is not one of ours.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Try later.
    #[error("the index is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Look which generations there are.
    #[error("{0}")]
    Conflict(String),
}

impl Error {
    /// It could not be done now, because of this.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// The declared indexes, and the product that keeps them.
#[derive(Clone)]
pub struct Indexes {
    schemas: Arc<BTreeMap<String, Schema>>,
    product: Arc<dyn Index>,
}

impl Indexes {
    pub fn new(schemas: BTreeMap<String, Schema>, product: Arc<dyn Index>) -> Self {
        Self {
            schemas: Arc::new(schemas),
            product,
        }
    }

    /// Applies changes, as [`Index::apply`] does.
    ///
    /// # Errors
    /// `Invalid` and `BadField` before anything is applied; `NotGranted` for an index that nobody
    /// declared.
    pub async fn apply(&self, index: &str, changes: &[Change]) -> Result<Vec<Outcome>, Error> {
        self.schema(index)?.check_changes(changes)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.product.apply(index, changes).await
    }

    /// All fields of the document, by name.
    pub async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error> {
        self.schema(index)?;
        schema::check_id(id)?;
        self.product.get(index, id).await
    }

    /// Documents by their ids, as [`Index::scan`] gives them.
    pub async fn scan(
        &self,
        index: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.schema(index)?;
        schema::check_scan(after, limit)?;
        self.product.scan(index, after, limit).await
    }

    /// Replaces one document, as [`Index::replace`] does.
    ///
    /// # Errors
    /// `Invalid` and `BadField` before anything is done.
    pub async fn replace(
        &self,
        index: &str,
        mut replacement: Replacement,
    ) -> Result<Replaced, Error> {
        self.schema(index)?.check_replacement(&replacement)?;
        for content in [&mut replacement.seen, &mut replacement.becomes]
            .into_iter()
            .flatten()
        {
            content.fields.retain(|field| field.value != Value::Absent);
            content.fields.sort_by(|a, b| a.name.cmp(&b.name));
            content.versions.sort_by(|a, b| a.source.cmp(&b.source));
        }
        self.product.replace(index, &replacement).await
    }

    /// One page of hits, with the cursor of the next.
    pub async fn search(&self, index: &str, query: &Query) -> Result<Page, Error> {
        self.schema(index)?.check_query(query)?;
        let search = Fingerprint::of(index, query);
        let cursor = query.cursor.as_deref();
        let after = cursor.map(|cursor| Position::decode(cursor, search));
        let after = after.transpose()?;
        let found = self.product.search(index, query, after.as_ref()).await?;
        Ok(Page {
            hits: found.hits,
            total: found.total,
            facets: found.facets,
            next: found.next.map(|last| last.encode(search)),
        })
    }

    /// Which generations there are.
    pub async fn generations(&self, index: &str) -> Result<Generations, Error> {
        self.schema(index)?;
        self.product.generations(index).await
    }

    /// Begins a generation, as [`Index::begin`] does.
    ///
    /// # Errors
    /// `Conflict` where one stands beside the current one already.
    pub async fn begin(&self, index: &str) -> Result<u64, Error> {
        self.schema(index)?;
        let begun = self.product.begin(index).await?;
        tracing::info!(index, index.generation = begun, "a generation is begun");
        Ok(begun)
    }

    /// Fills the generation that is being built.
    ///
    /// # Errors
    /// `Invalid` and `BadField` before anything is applied; `Conflict` where it is not this one that
    /// is being built.
    pub async fn load(
        &self,
        index: &str,
        generation: u64,
        changes: &[Change],
    ) -> Result<Vec<Outcome>, Error> {
        self.schema(index)?.check_load(changes)?;
        self.product.load(index, generation, changes).await
    }

    /// Documents of one generation by their ids, as [`Index::scan_of`] gives them.
    ///
    /// # Errors
    /// `Conflict` where there is no such generation.
    pub async fn scan_of(
        &self,
        index: &str,
        generation: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.schema(index)?;
        schema::check_scan(after, limit)?;
        self.product.scan_of(index, generation, after, limit).await
    }

    /// Lets the generation beside answer, as [`Index::switch`] does.
    ///
    /// # Errors
    /// `Conflict` where it is not this one that stands beside.
    pub async fn switch(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.schema(index)?;
        self.product.switch(index, generation).await?;
        tracing::info!(
            index,
            index.generation = generation,
            "it answers from now on"
        );
        Ok(())
    }

    /// Takes away the generation beside, as [`Index::remove`] does.
    ///
    /// # Errors
    /// `Conflict` where it is not this one that stands beside.
    pub async fn remove(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.schema(index)?;
        self.product.remove(index, generation).await?;
        tracing::info!(index, index.generation = generation, "it is gone");
        Ok(())
    }

    /// Whether the product can answer now.
    pub async fn health(&self) -> Result<(), Error> {
        self.product.health().await
    }

    fn schema(&self, index: &str) -> Result<&Schema, Error> {
        self.schemas
            .get(index)
            .ok_or_else(|| Error::NotGranted(index.to_owned()))
    }
}

/// The schemas that a manifest declares.
///
/// # Errors
/// Names an index or a field whose name no product would take.
pub fn schemas(
    declared: &BTreeMap<String, BTreeMap<String, FieldType>>,
) -> anyhow::Result<BTreeMap<String, Schema>> {
    declared
        .iter()
        .map(|(index, fields)| Ok((index.clone(), Schema::parse(index, fields)?)))
        .collect()
}
