//! Counts of values among all that match.

use std::collections::HashMap;

use super::super::{Counts, Facet, Schema, Value, ValueCount};
use super::document::Document;

pub enum Counter<'a> {
    Values {
        place: usize,
        limit: usize,
        counts: HashMap<&'a str, u64>,
    },
    Dates {
        place: usize,
        bounds: &'a [i64],
        counts: Vec<u64>,
    },
}

impl<'a> Counter<'a> {
    pub fn new(schema: &Schema, facet: &'a Facet) -> Self {
        let place = |field: &str| {
            let place = schema.place(field);
            place.expect("the schema has checked every field of the query")
        };
        match facet {
            Facet::Values(values) => Self::Values {
                place: place(&values.field),
                limit: values.limit as usize,
                counts: HashMap::new(),
            },
            Facet::Dates(dates) => Self::Dates {
                place: place(&dates.field),
                bounds: &dates.bounds,
                counts: vec![0; dates.bounds.len().saturating_sub(1)],
            },
        }
    }

    pub fn count(&mut self, document: &'a Document) {
        match self {
            Self::Values { place, counts, .. } => {
                for value in document.keywords(*place) {
                    *counts.entry(value).or_default() += 1;
                }
            }
            Self::Dates {
                place,
                bounds,
                counts,
            } => {
                if let Value::Date(date) = document.value(*place) {
                    // The interval begins with the last bound that is not behind the date.
                    let passed = bounds.partition_point(|bound| bound <= date);
                    let interval = passed.checked_sub(1);
                    if let Some(count) = interval.and_then(|at| counts.get_mut(at)) {
                        *count += 1;
                    }
                }
            }
        }
    }

    pub fn counts(self) -> Counts {
        match self {
            Self::Values { limit, counts, .. } => {
                let mut counts: Vec<_> = counts.into_iter().collect();
                counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
                counts.truncate(limit);
                let counts = counts.into_iter().map(|(value, count)| ValueCount {
                    value: value.to_owned(),
                    count,
                });
                Counts::Values(counts.collect())
            }
            Self::Dates { counts, .. } => Counts::Dates(counts),
        }
    }
}
