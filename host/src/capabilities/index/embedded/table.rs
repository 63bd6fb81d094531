//! The values of all documents, by row and by id.

use std::collections::HashMap;

use super::super::Schema;
use super::document::{Document, Kept};

/// Where a document stands in the table. It keeps its row for good.
pub type Row = u32;

#[derive(Default)]
pub struct Table {
    documents: Vec<Document>,
    rows: HashMap<Box<str>, Row>,
}

impl Table {
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    pub fn rows(&self) -> Vec<Row> {
        (0..self.documents.len() as Row).collect()
    }

    pub fn at(&self, row: Row) -> &Document {
        &self.documents[row as usize]
    }

    pub fn by_id(&self, id: &str) -> Option<&Document> {
        self.rows.get(id).map(|row| self.at(*row))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Row, &Document)> {
        self.documents
            .iter()
            .enumerate()
            .map(|(row, document)| (row as Row, document))
    }

    pub fn kept<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Kept> + 'a {
        self.documents.iter().map(|document| document.kept(schema))
    }

    /// Takes the document in, in place of the one with the same id.
    pub fn put(&mut self, document: Document) -> Row {
        if let Some(row) = self.rows.get(document.id.as_str()) {
            self.documents[*row as usize] = document;
            return *row;
        }
        let row = self.documents.len() as Row;
        self.rows.insert(document.id.as_str().into(), row);
        self.documents.push(document);
        row
    }
}
