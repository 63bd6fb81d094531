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

    /// Whether it can answer now.
    async fn health(&self) -> Result<(), Error>;
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
