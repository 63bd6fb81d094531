//! One document as the table holds it.

use serde::{Deserialize, Serialize};

use super::super::words::words;
use super::super::{Change, Content, Field, Schema, SourceVersion, Value};
use crate::manifest::FieldType;

/// A document's versions and values; the values stand in the schema's order.
#[derive(Debug, Clone)]
pub struct Document {
    pub id: String,
    versions: Vec<(String, u64)>,
    values: Box<[Value]>,
    /// The words of each text, by place, with spaces between: folding them is the dearest part of a
    /// search for a name.
    words: Vec<(usize, Box<str>)>,
}

/// A document as the journal keeps it: it names its fields, since a schema may change.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    id: String,
    versions: Vec<(String, u64)>,
    fields: Vec<Field>,
}

impl Document {
    /// What the change makes of what is held, or nothing if the change is stale.
    pub fn after(schema: &Schema, held: Option<&Self>, change: &Change) -> Option<Self> {
        let mut document = held
            .cloned()
            .unwrap_or_else(|| Self::new(schema, &change.id));
        let version = document
            .versions
            .iter_mut()
            .find(|(source, _)| *source == change.source);
        match version {
            Some((_, version)) if change.version <= *version => return None,
            Some((_, version)) => *version = change.version,
            None => document
                .versions
                .push((change.source.clone(), change.version)),
        }
        document.take(schema, &change.fields);
        Some(document)
    }

    /// Fields that the schema no longer has are left out.
    pub fn restored(schema: &Schema, kept: Kept) -> Self {
        let mut document = Self::new(schema, &kept.id);
        document.versions = kept.versions;
        document.take(schema, &kept.fields);
        document
    }

    /// As it was told, whatever is held.
    pub fn new_with(schema: &Schema, id: &str, content: &Content) -> Self {
        let mut document = Self::new(schema, id);
        let versions = content.versions.iter();
        document.versions = versions.map(|of| (of.source.clone(), of.version)).collect();
        document.take(schema, &content.fields);
        document
    }

    pub fn content(&self, schema: &Schema) -> Content {
        let versions = self.versions.iter().map(|(source, version)| SourceVersion {
            source: source.clone(),
            version: *version,
        });
        let mut versions: Vec<_> = versions.collect();
        versions.sort_by(|a, b| a.source.cmp(&b.source));
        Content {
            versions,
            fields: self.fields(schema),
        }
    }

    pub fn kept(&self, schema: &Schema) -> Kept {
        Kept {
            id: self.id.clone(),
            versions: self.versions.clone(),
            fields: self.fields(schema),
        }
    }

    pub fn fields(&self, schema: &Schema) -> Vec<Field> {
        let named = schema.fields().zip(&self.values);
        let held = named.filter(|(_, value)| **value != Value::Absent);
        held.map(|((name, _), value)| Field {
            name: name.to_owned(),
            value: value.clone(),
        })
        .collect()
    }

    pub fn value(&self, place: usize) -> &Value {
        &self.values[place]
    }

    /// The words of a text, folded.
    pub fn words(&self, place: usize) -> impl Iterator<Item = &str> {
        let mut texts = self.words.iter();
        let text = texts.find(|(of, _)| *of == place);
        text.into_iter().flat_map(|(_, words)| words.split(' '))
    }

    /// One, several or none.
    pub fn keywords(&self, place: usize) -> &[String] {
        match self.value(place) {
            Value::Keyword(one) => std::slice::from_ref(one),
            Value::Keywords(all) => all,
            _ => &[],
        }
    }

    /// Whether tantivy would hold the same for both.
    pub fn has_words_of(&self, schema: &Schema, other: &Self) -> bool {
        let mut kinds = schema.fields().map(|(_, kind)| kind).enumerate();
        kinds
            .all(|(place, kind)| kind != FieldType::Text || self.value(place) == other.value(place))
    }

    fn new(schema: &Schema, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            versions: Vec::new(),
            values: schema.fields().map(|_| Value::Absent).collect(),
            words: Vec::new(),
        }
    }

    fn take(&mut self, schema: &Schema, fields: &[Field]) {
        for field in fields {
            if let Some(place) = schema.place(&field.name)
                && schema.check_field(field).is_ok()
            {
                self.values[place] = field.value.clone();
                self.fold(schema, place);
            }
        }
    }

    fn fold(&mut self, schema: &Schema, place: usize) {
        if schema.kind_at(place) != FieldType::Text {
            return;
        }
        self.words.retain(|(of, _)| *of != place);
        if let Value::Text(text) = &self.values[place] {
            let words = words(text).join(" ");
            if !words.is_empty() {
                self.words.push((place, words.into()));
            }
        }
    }
}
