//! The values of all documents, by row and by id.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use super::super::Schema;
use super::document::{Document, Kept};
use super::postings::{Narrowed, Postings};
use super::query::Test;

/// Where a document stands in the table. It keeps its row for good, and nobody has it after it.
pub type Row = u32;

#[derive(Default)]
pub struct Table {
    /// None: the document was removed.
    documents: Vec<Option<Document>>,
    rows: BTreeMap<Box<str>, Row>,
    postings: Postings,
}

impl Table {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.iter().map(|(row, _)| row)
    }

    /// None: nothing narrows them.
    pub fn narrowed(&self, tests: &[Test]) -> Option<Narrowed> {
        self.postings.narrowed(tests)
    }

    /// None: it was removed since somebody found it there.
    pub fn at(&self, row: Row) -> Option<&Document> {
        self.documents.get(row as usize)?.as_ref()
    }

    pub fn by_id(&self, id: &str) -> Option<&Document> {
        self.rows.get(id).and_then(|row| self.at(*row))
    }

    /// By their ids, those behind this one.
    pub fn behind<'a>(&'a self, after: Option<&str>) -> impl Iterator<Item = &'a Document> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.range::<str, _>((from, Bound::Unbounded));
        rows.filter_map(|(_, row)| self.at(*row))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Row, &Document)> {
        let rows = self.documents.iter().enumerate();
        rows.filter_map(|(row, document)| Some((row as Row, document.as_ref()?)))
    }

    /// Behind the last row.
    pub fn end(&self) -> Row {
        self.documents.len() as Row
    }

    /// The documents of these rows, as the journal keeps them.
    pub fn kept<'a>(
        &'a self,
        schema: &'a Schema,
        rows: Range<Row>,
    ) -> impl Iterator<Item = Kept> + 'a {
        let documents = rows.filter_map(|row| self.at(row));
        documents.map(|document| document.kept(schema))
    }

    /// Takes the document in, in place of the one with the same id.
    pub fn put(&mut self, schema: &Schema, document: Document) -> Row {
        let row = match self.rows.get(document.id.as_str()) {
            Some(row) => *row,
            None => {
                let row = self.documents.len() as Row;
                self.rows.insert(document.id.as_str().into(), row);
                self.documents.push(None);
                row
            }
        };
        let place = &mut self.documents[row as usize];
        self.postings
            .change(schema, row, place.as_ref(), Some(&document));
        *place = Some(document);
        row
    }

    /// Where it stood, if it was there.
    pub fn remove(&mut self, schema: &Schema, id: &str) -> Option<Row> {
        let row = self.rows.remove(id)?;
        let held = self.documents[row as usize].take();
        self.postings.change(schema, row, held.as_ref(), None);
        Some(row)
    }
}
