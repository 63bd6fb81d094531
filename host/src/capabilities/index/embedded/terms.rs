//! The terms of all documents, in tantivy: keywords, flags, cells and words, each with the rows
//! of the documents that have it.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{BooleanQuery, FuzzyTermQuery, Occur, Query, TermQuery, TermSetQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STRING, Schema as Layout, TextFieldIndexing,
    TextOptions,
};
use tantivy::tokenizer::WhitespaceTokenizer;
use tantivy::{
    DocId, Index, IndexReader, IndexWriter, ReloadPolicy, Score, SegmentReader, TantivyDocument,
    Term,
};

use super::super::geo::{Cell, cells_around};
use super::super::words::{may_have_a_typo, words};
use super::super::{Schema, Value};
use super::document::Document;
use super::query::{Plan, Test};
use super::table::Row;
use crate::manifest::FieldType;

const WRITER_MEMORY_BYTES: usize = 32 << 20;
/// A circle with more cells is not narrowed by them: the table alone decides.
const CELLS_MAX: usize = 4_096;
/// Cells with their keywords: more of them, and they narrow apart.
const PAIRS_MAX: usize = 4_096;
/// Up to so many terms are looked up one by one. A set of terms is quicker for more, but costs
/// a third of a millisecond before the first is found.
const UNION_MAX: usize = 512;
const WORDS: &str = "words";
const ROW: &str = "row";

/// Finds rows. What a [`Writer`] puts is seen after its commit.
pub struct Terms {
    reader: IndexReader,
    row: Field,
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
        let row = layout.add_u64_field(ROW, INDEXED | FAST);
        let exact = layout.add_text_field("exact", STRING);
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
        let terms = Self {
            reader,
            row,
            exact,
            texts,
        };
        Ok((terms, Writer(writer)))
    }

    /// A query for a superset of the documents that the plan wants; none if no term narrows it. Of the
    /// plan's tests, that with the fewest documents is enough: the table holds all of them.
    pub fn narrowing(&self, plan: &Plan) -> Option<Box<dyn Query>> {
        let tests = plan.tests.iter();
        let keywords = tests.clone().find_map(|test| match test {
            Test::Keyword { place, values } => Some(keyword_terms(*place, values)),
            Test::Flag { .. } | Test::Near { .. } | Test::Dates { .. } => None,
        });
        let cells = tests.clone().find_map(|test| match test {
            Test::Near {
                place,
                center,
                radius_m,
            } => cells_around(*center, *radius_m, CELLS_MAX).map(|cells| cell_terms(*place, cells)),
            Test::Keyword { .. } | Test::Flag { .. } | Test::Dates { .. } => None,
        });
        let flag = tests.clone().find_map(|test| match test {
            Test::Flag { place, value } => Some(vec![flag_term(*place, *value)]),
            Test::Keyword { .. } | Test::Near { .. } | Test::Dates { .. } => None,
        });
        let mut parts: Vec<Box<dyn Query>> = match (keywords, cells) {
            (Some(keywords), Some(cells)) if keywords.len() * cells.len() <= PAIRS_MAX => {
                vec![self.any(pairs(&keywords, &cells))]
            }
            (keywords, cells) => {
                let both = [keywords, cells].into_iter().flatten();
                both.map(|terms| self.any(terms)).collect()
            }
        };
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
                parts.push(match asked.typos && may_have_a_typo(word) {
                    true => boxed(BooleanQuery::union(vec![
                        word_itself,
                        boxed(FuzzyTermQuery::new(term, 1, true)),
                    ])),
                    false => word_itself,
                });
            }
        }
        // Nearly all documents have it: only where nothing else narrows.
        if parts.is_empty() {
            parts.extend(flag.map(|flag| self.any(flag)));
        }
        let parts: Vec<_> = parts.into_iter().map(|part| (Occur::Must, part)).collect();
        (!parts.is_empty()).then(|| boxed(BooleanQuery::new(parts)))
    }

    pub fn rows(&self, query: &dyn Query) -> tantivy::Result<Vec<Row>> {
        self.reader.searcher().search(query, &Rows)
    }

    fn any(&self, terms: Vec<String>) -> Box<dyn Query> {
        let terms = terms.iter();
        let terms = terms.map(|term| Term::from_field_text(self.exact, term));
        if terms.len() > UNION_MAX {
            return boxed(TermSetQuery::new(terms));
        }
        let mut each: Vec<_> = terms
            .map(|term| boxed(TermQuery::new(term, IndexRecordOption::Basic)))
            .collect();
        match each.len() {
            1 => each.remove(0),
            _ => boxed(BooleanQuery::union(each)),
        }
    }

    fn document(&self, row: Row, schema: &Schema, document: &Document) -> TantivyDocument {
        let mut terms = TantivyDocument::default();
        terms.add_u64(self.row, row.into());
        let mut keywords = Vec::new();
        let mut cells = Vec::new();
        for (place, (_, kind)) in schema.fields().enumerate() {
            match (kind, document.value(place)) {
                (FieldType::Keyword, Value::Keyword(_) | Value::Keywords(_)) => {
                    keywords.extend(keyword_terms(place, document.keywords(place)));
                }
                (FieldType::GeoPoint, Value::Geo(point)) => {
                    cells.push(cell_term(place, Cell::of(*point)));
                }
                (FieldType::Boolean, Value::Boolean(value)) => {
                    terms.add_text(self.exact, flag_term(place, *value));
                }
                (FieldType::Text, Value::Text(text)) => {
                    terms.add_text(self.text(place), words(text).join(" "));
                }
                _ => {}
            }
        }
        // Alone and together: a search for both reads few postings.
        for term in keywords.iter().chain(&cells) {
            terms.add_text(self.exact, term);
        }
        for pair in pairs(&keywords, &cells) {
            terms.add_text(self.exact, pair);
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

fn keyword_term(place: usize, value: &str) -> String {
    format!("{place}={value}\0")
}

fn keyword_terms(place: usize, values: &[String]) -> Vec<String> {
    let terms = values.iter().map(|value| keyword_term(place, value));
    terms.collect()
}

fn flag_term(place: usize, value: bool) -> String {
    format!("{place}?{value}")
}

fn cell_term(place: usize, cell: Cell) -> String {
    format!("{place}@{},{}", cell.lat, cell.lon)
}

fn cell_terms(place: usize, cells: Vec<Cell>) -> Vec<String> {
    let terms = cells.into_iter().map(|cell| cell_term(place, cell));
    terms.collect()
}

/// Each keyword with each cell.
fn pairs(keywords: &[String], cells: &[String]) -> Vec<String> {
    let pairs = keywords
        .iter()
        .flat_map(|keyword| cells.iter().map(move |cell| format!("{keyword}{cell}")));
    pairs.collect()
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
