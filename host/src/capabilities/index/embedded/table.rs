//! The values of all documents, by slot and by id.

use std::collections::HashMap;

use super::super::Schema;
use super::document::{Document, Kept};

/// Where a document stands in the table. It keeps its slot for good.
pub type Slot = u32;

#[derive(Default)]
pub struct Table {
    documents: Vec<Document>,
    slots: HashMap<Box<str>, Slot>,
}

impl Table {
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    pub fn slots(&self) -> Vec<Slot> {
        (0..self.documents.len() as Slot).collect()
    }

    pub fn at(&self, slot: Slot) -> &Document {
        &self.documents[slot as usize]
    }

    pub fn by_id(&self, id: &str) -> Option<&Document> {
        self.slots.get(id).map(|slot| self.at(*slot))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Document)> {
        self.documents
            .iter()
            .enumerate()
            .map(|(slot, document)| (slot as Slot, document))
    }

    pub fn kept<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Kept> + 'a {
        self.documents.iter().map(|document| document.kept(schema))
    }

    /// Takes the document in, in place of the one with the same id.
    pub fn put(&mut self, document: Document) -> Slot {
        if let Some(slot) = self.slots.get(document.id.as_str()) {
            self.documents[*slot as usize] = document;
            return *slot;
        }
        let slot = self.documents.len() as Slot;
        self.slots.insert(document.id.as_str().into(), slot);
        self.documents.push(document);
        slot
    }
}
