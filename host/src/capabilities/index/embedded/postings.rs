//! Which rows have a keyword, have a flag, lie in a cell: what narrows a search before values are
//! looked at.

use std::collections::HashMap;

use roaring::{MultiOps as _, RoaringBitmap};

use super::super::geo::{Cell, cells_around};
use super::super::{Schema, Value};
use super::document::Document;
use super::query::Test;
use super::table::Row;
use crate::manifest::FieldType;

/// A circle with more cells is not narrowed by them: the table alone decides.
const CELLS_MAX: usize = 4_096;
/// Cells with their keywords: more of them, and they narrow apart.
const PAIRS_MAX: usize = 4_096;

/// So few rows of many terms are sorted: to unite bitmaps takes a bit for every row that there is.
const SORTED_ROWS_MAX: u64 = 4_096;

/// By term. A term without rows is not there.
#[derive(Default)]
pub struct Postings(HashMap<Box<str>, RoaringBitmap>);

/// All rows that can pass the tests, and perhaps some more.
pub struct Narrowed {
    pub rows: RoaringBitmap,
    /// The test that all of them pass.
    pub settled: Option<usize>,
}

impl Postings {
    /// From now on the row has what `now` has, and no more what it had.
    pub fn change(
        &mut self,
        schema: &Schema,
        row: Row,
        held: Option<&Document>,
        now: Option<&Document>,
    ) {
        if let (Some(held), Some(now)) = (held, now)
            && have_the_same(schema, held, now)
        {
            return;
        }
        let of =
            |document: Option<&Document>| document.map_or_else(Vec::new, |of| terms(schema, of));
        for term in of(held) {
            if let Some(rows) = self.0.get_mut(term.as_str()) {
                rows.remove(row);
                if rows.is_empty() {
                    self.0.remove(term.as_str());
                }
            }
        }
        for term in of(now) {
            self.0.entry(term.into()).or_default().insert(row);
        }
    }

    /// None: nothing narrows them. Of the tests, those with the fewest rows are enough: the table holds the
    /// others.
    pub fn narrowed(&self, tests: &[Test]) -> Option<Narrowed> {
        let keywords = first(tests, |test| match test {
            Test::Keyword { place, values } => Some(keyword_terms(*place, values)),
            Test::Flag { .. } | Test::Near { .. } | Test::Dates { .. } => None,
        });
        let cells = first(tests, |test| match test {
            Test::Near {
                place,
                center,
                radius_m,
            } => cells_around(*center, *radius_m, CELLS_MAX).map(|cells| cell_terms(*place, cells)),
            Test::Keyword { .. } | Test::Flag { .. } | Test::Dates { .. } => None,
        });
        let settled = keywords.as_ref().map(|(at, _)| *at);
        let rows = match (keywords, cells) {
            (Some((_, keywords)), Some((_, cells)))
                if keywords.len() * cells.len() <= PAIRS_MAX =>
            {
                self.any(&pairs(&keywords, &cells))
            }
            (Some((_, keywords)), Some((_, cells))) => self.any(&keywords) & self.any(&cells),
            (Some((_, terms)), None) | (None, Some((_, terms))) => self.any(&terms),
            // Nearly all documents have it.
            (None, None) => {
                let (at, term) = first(tests, |test| match test {
                    Test::Flag { place, value } => Some(flag_term(*place, *value)),
                    Test::Keyword { .. } | Test::Near { .. } | Test::Dates { .. } => None,
                })?;
                return Some(Narrowed {
                    rows: self.any(&[term]),
                    settled: Some(at),
                });
            }
        };
        Some(Narrowed { rows, settled })
    }

    fn any(&self, terms: &[String]) -> RoaringBitmap {
        let found = terms.iter().filter_map(|term| self.0.get(term.as_str()));
        let found: Vec<_> = found.collect();
        let count: u64 = found.iter().map(|rows| rows.len()).sum();
        if count > SORTED_ROWS_MAX {
            return found.union();
        }
        let mut rows: Vec<Row> = found.iter().flat_map(|rows| rows.iter()).collect();
        rows.sort_unstable();
        rows.dedup();
        RoaringBitmap::from_sorted_iter(rows).expect("they are sorted")
    }
}

/// The first test of which something is to be had, and where it stands.
fn first<T>(tests: &[Test], had: impl Fn(&Test) -> Option<T>) -> Option<(usize, T)> {
    let mut each = tests.iter().enumerate();
    each.find_map(|(at, test)| had(test).map(|had| (at, had)))
}

fn have_the_same(schema: &Schema, held: &Document, now: &Document) -> bool {
    let mut kinds = schema.fields().map(|(_, kind)| kind).enumerate();
    kinds.all(|(place, kind)| {
        let (held, now) = (held.value(place), now.value(place));
        match kind {
            FieldType::Number | FieldType::Date | FieldType::Stored | FieldType::Text => true,
            FieldType::Keyword | FieldType::Boolean => held == now,
            FieldType::GeoPoint => match (held, now) {
                (Value::Geo(held), Value::Geo(now)) => Cell::of(*held) == Cell::of(*now),
                _ => held == now,
            },
        }
    })
}

/// All that a document is found by here.
fn terms(schema: &Schema, document: &Document) -> Vec<String> {
    let mut keywords = Vec::new();
    let mut cells = Vec::new();
    let mut terms = Vec::new();
    for (place, (_, kind)) in schema.fields().enumerate() {
        match (kind, document.value(place)) {
            (FieldType::Keyword, _) => {
                keywords.extend(keyword_terms(place, document.keywords(place)));
            }
            (FieldType::GeoPoint, Value::Geo(point)) => {
                cells.push(cell_term(place, Cell::of(*point)));
            }
            (FieldType::Boolean, Value::Boolean(value)) => terms.push(flag_term(place, *value)),
            _ => {}
        }
    }
    // Alone and together: a search for both reads few rows.
    terms.extend(pairs(&keywords, &cells));
    terms.extend(keywords);
    terms.extend(cells);
    terms
}

fn keyword_terms(place: usize, values: &[String]) -> Vec<String> {
    let terms = values.iter().map(|value| format!("{place}={value}\0"));
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
