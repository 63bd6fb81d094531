//! The terms of all documents, in tantivy: keywords, flags, cells and words, each with the slots
//! of the documents that have it.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{BooleanQuery, FuzzyTermQuery, Occur, Query, TermQuery, TermSetQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STRING, Schema as Layout, TextFieldIndexing,
    TextOptions,
};
use tantivy::{
    DocId, Index, IndexReader, IndexWriter, ReloadPolicy, Score, SegmentReader, TantivyDocument,
    Term,
};

use super::super::geo::{Cell, cells_around};
use super::super::words::{analyzer, words};
use super::super::{Schema, Value};
use super::document::Document;
use super::query::{Plan, Test};
use super::table::Slot;
use crate::manifest::FieldType;

const WRITER_MEMORY_BYTES: usize = 32 << 20;
/// A circle with more cells is not narrowed by them: the table alone decides.
const CELLS_MAX: usize = 4_096;
const WORDS: &str = "words";
const SLOT: &str = "slot";

/// Finds slots. What a [`Writer`] puts is seen after its commit.
pub struct Terms {
    reader: IndexReader,
    slot: Field,
    /// Keywords, flags and cells.
    exact: Field,
    /// By place in the schema, for the fields that are texts.
    texts: Vec<Option<Field>>,
}

/// Puts documents. There is one.
pub struct Writer(IndexWriter);

impl Terms {
    pub fn new(schema: &Schema) -> tantivy::Result<(Self, Writer)> {
        let mut layout = Layout::builder();
        let slot = layout.add_u64_field(SLOT, INDEXED | FAST);
        let exact = layout.add_text_field("exact", STRING);
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(WORDS)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::Basic);
        let text = TextOptions::default().set_indexing_options(indexing);
        let texts = schema.fields().map(|(name, kind)| {
            // Prefixed: a field of the schema may be called `slot`.
            (kind == FieldType::Text)
                .then(|| layout.add_text_field(&format!("text.{name}"), text.clone()))
        });
        let texts = texts.collect();
        let index = Index::create_in_ram(layout.build());
        index.tokenizers().register(WORDS, analyzer());
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(WRITER_MEMORY_BYTES)
            .num_merge_threads(1)
            .build();
        let writer = index.writer_with_options(options)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        let terms = Self {
            reader,
            slot,
            exact,
            texts,
        };
        Ok((terms, Writer(writer)))
    }

    /// A query for a superset of the documents that the plan wants; none if no term narrows it.
    pub fn narrowing(&self, plan: &Plan) -> Option<Box<dyn Query>> {
        let mut parts: Vec<Box<dyn Query>> = Vec::new();
        let keyword = plan.tests.iter().find_map(|test| match test {
            Test::Keyword { place, value } => Some(keyword_term(*place, value)),
            Test::Flag { .. } | Test::Near { .. } | Test::Dates { .. } => None,
        });
        for test in &plan.tests {
            match test {
                Test::Keyword { place, value } => {
                    parts.push(self.term(&keyword_term(*place, value)));
                }
                Test::Flag { place, value } => parts.push(self.term(&flag_term(*place, *value))),
                Test::Near {
                    place,
                    center,
                    radius_m,
                } => {
                    let Some(cells) = cells_around(*center, *radius_m, CELLS_MAX) else {
                        continue;
                    };
                    let terms = cells.into_iter().map(|cell| {
                        let cell = cell_term(*place, cell);
                        match &keyword {
                            Some(keyword) => format!("{keyword}{cell}"),
                            None => cell,
                        }
                    });
                    let terms = terms.map(|term| Term::from_field_text(self.exact, &term));
                    parts.push(Box::new(TermSetQuery::new(terms)));
                }
                Test::Dates { .. } => {}
            }
        }
        for (place, text) in &plan.words {
            let field = self.text(*place);
            let mut words = words(text);
            if let Some(last) = words.pop() {
                let last = Term::from_field_text(field, &last);
                parts.push(Box::new(FuzzyTermQuery::new_prefix(last, 0, false)));
            }
            let terms = words.iter().map(|word| Term::from_field_text(field, word));
            parts.extend(terms.map(|term| boxed(TermQuery::new(term, IndexRecordOption::Basic))));
        }
        let parts: Vec<_> = parts.into_iter().map(|part| (Occur::Must, part)).collect();
        (!parts.is_empty()).then(|| boxed(BooleanQuery::new(parts)))
    }

    pub fn slots(&self, query: &dyn Query) -> tantivy::Result<Vec<Slot>> {
        self.reader.searcher().search(query, &Slots)
    }

    fn term(&self, term: &str) -> Box<dyn Query> {
        let term = Term::from_field_text(self.exact, term);
        Box::new(TermQuery::new(term, IndexRecordOption::Basic))
    }

    fn document(&self, slot: Slot, schema: &Schema, document: &Document) -> TantivyDocument {
        let mut terms = TantivyDocument::default();
        terms.add_u64(self.slot, slot.into());
        let mut keywords = Vec::new();
        let mut cells = Vec::new();
        for (place, (_, kind)) in schema.fields().enumerate() {
            match (kind, document.value(place)) {
                (FieldType::Keyword, Value::Keyword(value)) => {
                    keywords.push(keyword_term(place, value));
                }
                (FieldType::GeoPoint, Value::Geo(point)) => {
                    cells.push(cell_term(place, Cell::of(*point)));
                }
                (FieldType::Boolean, Value::Boolean(value)) => {
                    terms.add_text(self.exact, flag_term(place, *value));
                }
                (FieldType::Text, Value::Text(text)) => {
                    terms.add_text(self.text(place), text);
                }
                _ => {}
            }
        }
        // Alone and together: a search for both reads few postings.
        for term in keywords.iter().chain(&cells) {
            terms.add_text(self.exact, term);
        }
        for keyword in &keywords {
            for cell in &cells {
                terms.add_text(self.exact, format!("{keyword}{cell}"));
            }
        }
        terms
    }

    fn text(&self, place: usize) -> Field {
        self.texts[place].expect("the schema checks that words are asked of texts")
    }
}

impl Writer {
    pub fn put(
        &mut self,
        terms: &Terms,
        slot: Slot,
        schema: &Schema,
        document: &Document,
    ) -> tantivy::Result<()> {
        self.0
            .delete_term(Term::from_field_u64(terms.slot, slot.into()));
        self.0
            .add_document(terms.document(slot, schema, document))?;
        Ok(())
    }

    pub fn commit(&mut self, terms: &Terms) -> tantivy::Result<()> {
        self.0.commit()?;
        terms.reader.reload()
    }
}

fn boxed(query: impl Query) -> Box<dyn Query> {
    Box::new(query)
}

fn keyword_term(place: usize, value: &str) -> String {
    format!("{place}={value}\0")
}

fn flag_term(place: usize, value: bool) -> String {
    format!("{place}?{value}")
}

fn cell_term(place: usize, cell: Cell) -> String {
    format!("{place}@{},{}", cell.lat, cell.lon)
}

/// Collects the slots of all that match.
struct Slots;

struct SegmentSlots {
    column: Column<u64>,
    slots: Vec<Slot>,
}

impl Collector for Slots {
    type Fruit = Vec<Slot>;
    type Child = SegmentSlots;

    fn for_segment(&self, _: u32, segment: &SegmentReader) -> tantivy::Result<SegmentSlots> {
        Ok(SegmentSlots {
            column: segment.fast_fields().u64(SLOT)?,
            slots: Vec::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, slots: Vec<Vec<Slot>>) -> tantivy::Result<Vec<Slot>> {
        Ok(slots.concat())
    }
}

impl SegmentCollector for SegmentSlots {
    type Fruit = Vec<Slot>;

    fn collect(&mut self, document: DocId, _: Score) {
        self.slots
            .extend(self.column.first(document).map(|slot| slot as Slot));
    }

    fn harvest(self) -> Vec<Slot> {
        self.slots
    }
}
