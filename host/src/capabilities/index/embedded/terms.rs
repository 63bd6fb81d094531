//! The words of all documents, in tantivy, each with the rows of the documents that have it.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{BooleanQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, Schema as Layout, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::WhitespaceTokenizer;
use tantivy::{
    DocId, Index, IndexReader, IndexWriter, ReloadPolicy, Score, SegmentReader, TantivyDocument,
    Term,
};

use super::super::Schema;
use super::super::words::{may_have_a_typo, words};
use super::document::Document;
use super::query::Plan;
use super::table::Row;
use crate::manifest::FieldType;

const WRITER_MEMORY_BYTES: usize = 32 << 20;
const WORDS: &str = "words";
const ROW: &str = "row";

/// Finds rows. What a [`Writer`] puts is seen after its commit.
pub struct Terms {
    reader: IndexReader,
    row: Field,
    /// By place in the schema, for the fields that are texts.
    texts: Vec<Option<Field>>,
}

/// Puts documents. There is one.
pub struct Writer(IndexWriter);

impl Terms {
    pub fn new(schema: &Schema) -> tantivy::Result<(Self, Writer)> {
        let mut layout = Layout::builder();
        let row = layout.add_u64_field(ROW, INDEXED | FAST);
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(WORDS)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::Basic);
        let text = TextOptions::default().set_indexing_options(indexing);
        let texts = schema.fields().map(|(name, kind)| {
            // Prefixed: a field of the schema may be called `row`.
            (kind == FieldType::Text)
                .then(|| layout.add_text_field(&format!("text.{name}"), text.clone()))
        });
        let texts = texts.collect();
        let index = Index::create_in_ram(layout.build());
        // They come split.
        index
            .tokenizers()
            .register(WORDS, WhitespaceTokenizer::default());
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(WRITER_MEMORY_BYTES)
            .num_merge_threads(1)
            .build();
        let writer = index.writer_with_options(options)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        let terms = Self { reader, row, texts };
        Ok((terms, Writer(writer)))
    }

    /// A query for the documents with the plan's words; none if it has no words.
    pub fn narrowing(&self, plan: &Plan) -> Option<Box<dyn Query>> {
        let mut parts: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (place, asked) in &plan.words {
            let field = self.text(*place);
            let words = words(&asked.text);
            let last = words.len().saturating_sub(1);
            for (at, word) in words.iter().enumerate() {
                let term = Term::from_field_text(field, word);
                let word_itself = match at == last {
                    true => boxed(FuzzyTermQuery::new_prefix(term.clone(), 0, false)),
                    false => boxed(TermQuery::new(term.clone(), IndexRecordOption::Basic)),
                };
                let part = match asked.typos && may_have_a_typo(word) {
                    true => boxed(BooleanQuery::union(vec![
                        word_itself,
                        boxed(FuzzyTermQuery::new(term, 1, true)),
                    ])),
                    false => word_itself,
                };
                parts.push((Occur::Must, part));
            }
        }
        (!parts.is_empty()).then(|| boxed(BooleanQuery::new(parts)))
    }

    pub fn rows(&self, query: &dyn Query) -> tantivy::Result<Vec<Row>> {
        self.reader.searcher().search(query, &Rows)
    }

    fn document(&self, row: Row, schema: &Schema, document: &Document) -> TantivyDocument {
        let mut terms = TantivyDocument::default();
        terms.add_u64(self.row, row.into());
        for place in 0..schema.fields().count() {
            if let Some(field) = self.texts[place] {
                for word in document.words(place) {
                    terms.add_text(field, word);
                }
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
        row: Row,
        schema: &Schema,
        document: &Document,
    ) -> tantivy::Result<()> {
        self.remove(terms, row);
        self.0.add_document(terms.document(row, schema, document))?;
        Ok(())
    }

    pub fn remove(&mut self, terms: &Terms, row: Row) {
        self.0
            .delete_term(Term::from_field_u64(terms.row, row.into()));
    }

    pub fn commit(&mut self, terms: &Terms) -> tantivy::Result<()> {
        self.0.commit()?;
        terms.reader.reload()
    }
}

fn boxed(query: impl Query) -> Box<dyn Query> {
    Box::new(query)
}

/// Collects the rows of all that match.
struct Rows;

struct SegmentRows {
    column: Column<u64>,
    rows: Vec<Row>,
}

impl Collector for Rows {
    type Fruit = Vec<Row>;
    type Child = SegmentRows;

    fn for_segment(&self, _: u32, segment: &SegmentReader) -> tantivy::Result<SegmentRows> {
        Ok(SegmentRows {
            column: segment.fast_fields().u64(ROW)?,
            rows: Vec::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, rows: Vec<Vec<Row>>) -> tantivy::Result<Vec<Row>> {
        Ok(rows.concat())
    }
}

impl SegmentCollector for SegmentRows {
    type Fruit = Vec<Row>;

    fn collect(&mut self, document: DocId, _: Score) {
        self.rows
            .extend(self.column.first(document).map(|row| row as Row));
    }

    fn harvest(self) -> Vec<Row> {
        self.rows
    }
}
