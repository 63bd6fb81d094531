//! A query, made ready for the table.

use super::super::cursor::order;
use super::super::geo::{distance_m, gauss};
use super::super::{Clause, Factor, Found, GeoPoint, Hit, Position, Query, Schema, Value};
use super::document::Document;
use super::table::{Row, Table};

/// Fields are places in the schema here.
pub struct Plan<'a> {
    /// What the table decides.
    pub tests: Vec<Test<'a>>,
    /// What the terms alone decide: the field and the words.
    pub words: Vec<(usize, &'a str)>,
    factors: Vec<Weight>,
    limit: usize,
    distance_from: Option<(usize, GeoPoint)>,
}

pub enum Test<'a> {
    Keyword {
        place: usize,
        value: &'a str,
    },
    Flag {
        place: usize,
        value: bool,
    },
    Near {
        place: usize,
        center: GeoPoint,
        radius_m: f64,
    },
    Dates {
        place: usize,
        from: i64,
        to: i64,
    },
}

enum Weight {
    Gauss {
        place: usize,
        origin: GeoPoint,
        scale_m: f64,
        decay: f64,
    },
    Number {
        place: usize,
        missing: f64,
    },
}

impl<'a> Plan<'a> {
    pub fn new(schema: &Schema, query: &'a Query) -> Self {
        let place = |field: &str| {
            let place = schema.place(field);
            place.expect("the schema has checked every field of the query")
        };
        let mut plan = Self {
            tests: Vec::new(),
            words: Vec::new(),
            factors: Vec::new(),
            limit: query.limit as usize,
            distance_from: query
                .distance_from
                .as_ref()
                .map(|(field, point)| (place(field), *point)),
        };
        for clause in &query.filter {
            match clause {
                Clause::Term(term) => plan.tests.push(Test::Keyword {
                    place: place(&term.field),
                    value: &term.value,
                }),
                Clause::Flag(flag) => plan.tests.push(Test::Flag {
                    place: place(&flag.field),
                    value: flag.value,
                }),
                Clause::GeoDistance(circle) => plan.tests.push(Test::Near {
                    place: place(&circle.field),
                    center: circle.center,
                    radius_m: circle.radius_m,
                }),
                Clause::DateRange(range) => plan.tests.push(Test::Dates {
                    place: place(&range.field),
                    from: range.from.unwrap_or(i64::MIN),
                    to: range.to.unwrap_or(i64::MAX),
                }),
                Clause::Words(words) => plan.words.push((place(&words.field), &words.text)),
            }
        }
        plan.factors = query
            .score
            .iter()
            .map(|factor| match factor {
                Factor::Gauss(gauss) => Weight::Gauss {
                    place: place(&gauss.field),
                    origin: gauss.origin,
                    scale_m: gauss.scale_m,
                    decay: gauss.decay,
                },
                Factor::NumberValue(number) => Weight::Number {
                    place: place(&number.field),
                    missing: number.missing,
                },
            })
            .collect();
        plan
    }

    /// The best of those rows whose documents pass every test.
    pub fn run(
        &self,
        schema: &Schema,
        table: &Table,
        rows: Vec<Row>,
        after: Option<&Position>,
    ) -> Found {
        let mut total = 0;
        let mut ranked = Vec::new();
        for row in rows {
            let document = table.at(row);
            if !self.tests.iter().all(|test| test.holds(document)) {
                continue;
            }
            total += 1;
            let score = self
                .factors
                .iter()
                .map(|factor| factor.of(document))
                .product();
            if after.is_none_or(|after| after.compare(score, &document.id).is_gt()) {
                ranked.push((score, document));
            }
        }
        let rank = |a: &(f64, &Document), b: &(f64, &Document)| order(a.0, &a.1.id, b.0, &b.1.id);
        let more = ranked.len() > self.limit;
        if more {
            ranked.select_nth_unstable_by(self.limit, rank);
            ranked.truncate(self.limit);
        }
        ranked.sort_unstable_by(rank);
        let hits = ranked.into_iter().map(|(score, document)| Hit {
            id: document.id.clone(),
            score,
            distance_m: self
                .distance_from
                .and_then(|(place, from)| distance_from(document, place, from)),
            fields: document.fields(schema),
        });
        Found {
            hits: hits.collect(),
            total,
            more,
        }
    }
}

impl Test<'_> {
    fn holds(&self, document: &Document) -> bool {
        match *self {
            Self::Keyword { place, value } => {
                matches!(document.value(place), Value::Keyword(held) if held == value)
            }
            Self::Flag { place, value } => *document.value(place) == Value::Boolean(value),
            Self::Near {
                place,
                center,
                radius_m,
            } => distance_from(document, place, center).is_some_and(|far| far <= radius_m),
            Self::Dates { place, from, to } => {
                matches!(*document.value(place), Value::Date(held) if held >= from && held < to)
            }
        }
    }
}

impl Weight {
    fn of(&self, document: &Document) -> f64 {
        match *self {
            Self::Gauss {
                place,
                origin,
                scale_m,
                decay,
            } => {
                distance_from(document, place, origin).map_or(1.0, |far| gauss(far, scale_m, decay))
            }
            Self::Number { place, missing } => match *document.value(place) {
                Value::Number(number) => number,
                _ => missing,
            },
        }
    }
}

fn distance_from(document: &Document, place: usize, from: GeoPoint) -> Option<f64> {
    match document.value(place) {
        Value::Geo(point) => Some(distance_m(from, *point)),
        _ => None,
    }
}
