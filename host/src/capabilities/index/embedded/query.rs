//! A query, made ready for the table.

use super::super::geo::{distance_m, gauss};
use super::super::words::words;
use super::super::{
    Clause, Factor, Found, GeoPoint, Hit, Order, Position, Query, Schema, Value, Words,
};
use super::document::Document;
use super::facets::Counter;
use super::table::{Row, Table};

/// Fields are places in the schema here.
pub struct Plan<'a> {
    /// What the table decides.
    pub tests: Vec<Test<'a>>,
    /// What the terms alone decide: the field and the words.
    pub words: Vec<(usize, &'a Words)>,
    factors: Vec<Weight>,
    key: Key,
    query: &'a Query,
    distance_from: Option<(usize, GeoPoint)>,
}

pub enum Test<'a> {
    Keyword {
        place: usize,
        values: &'a [String],
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
    Words {
        place: usize,
        asked: Vec<String>,
        beginning: f64,
        otherwise: f64,
    },
}

/// What the hits go by.
enum Key {
    Score,
    Distance { place: usize, from: GeoPoint },
    Date { place: usize },
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
            key: match &query.order {
                Order::Score => Key::Score,
                Order::Nearest((field, from)) => Key::Distance {
                    place: place(field),
                    from: *from,
                },
                Order::Earliest(field) => Key::Date {
                    place: place(field),
                },
            },
            query,
            distance_from: query
                .distance_from
                .as_ref()
                .map(|(field, point)| (place(field), *point)),
        };
        for clause in &query.filter {
            match clause {
                Clause::Terms(terms) => plan.tests.push(Test::Keyword {
                    place: place(&terms.field),
                    values: &terms.values,
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
                Clause::Words(words) => plan.words.push((place(&words.field), words)),
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
                Factor::WordsMatch(asked) => Weight::Words {
                    place: place(&asked.field),
                    asked: words(&asked.text),
                    beginning: asked.beginning,
                    otherwise: asked.otherwise,
                },
            })
            .collect();
        plan
    }

    /// The first of those rows whose documents pass every test.
    pub fn run(
        &self,
        schema: &Schema,
        table: &Table,
        rows: impl IntoIterator<Item = Row>,
        after: Option<&Position>,
    ) -> Found {
        let order = &self.query.order;
        let limit = self.query.limit as usize;
        let facets = self.query.facets.iter();
        let mut counters: Vec<_> = facets.map(|facet| Counter::new(schema, facet)).collect();
        let mut total = 0;
        let mut ranked = Vec::new();
        for row in rows {
            let Some(document) = table.at(row) else {
                continue;
            };
            if !self.tests.iter().all(|test| test.holds(document)) {
                continue;
            }
            let Some(key) = self.key(document) else {
                continue;
            };
            total += 1;
            for counter in &mut counters {
                counter.count(document);
            }
            if after.is_none_or(|after| order.is_behind(key, &document.id, after)) {
                ranked.push((key, document));
            }
        }
        let rank = |a: &(f64, &Document), b: &(f64, &Document)| {
            order.compare((a.0, &a.1.id), (b.0, &b.1.id))
        };
        let more = ranked.len() > limit;
        if more {
            ranked.select_nth_unstable_by(limit, rank);
            ranked.truncate(limit);
        }
        ranked.sort_unstable_by(rank);
        let last = ranked.last().filter(|_| more);
        Found {
            next: last.map(|(key, document)| Position {
                key: *key,
                id: document.id.clone(),
            }),
            hits: ranked
                .into_iter()
                .map(|(_, document)| self.hit(schema, document))
                .collect(),
            total,
            facets: counters.into_iter().map(Counter::counts).collect(),
        }
    }

    fn key(&self, document: &Document) -> Option<f64> {
        match self.key {
            Key::Score => Some(self.score(document)),
            Key::Distance { place, from } => distance_from(document, place, from),
            Key::Date { place } => match *document.value(place) {
                // Exact: dates have fewer than 53 bits.
                Value::Date(ms) => Some(ms as f64),
                _ => None,
            },
        }
    }

    fn score(&self, document: &Document) -> f64 {
        let factors = self.factors.iter();
        factors.fold(1.0, |score, factor| factor.times(score, document))
    }

    fn hit(&self, schema: &Schema, document: &Document) -> Hit {
        let far = self
            .distance_from
            .and_then(|(place, from)| distance_from(document, place, from));
        Hit {
            id: document.id.clone(),
            score: self.score(document),
            distance_m: far,
            fields: document.fields(schema),
        }
    }
}

impl Test<'_> {
    fn holds(&self, document: &Document) -> bool {
        match *self {
            Self::Keyword { place, values } => {
                let held = document.keywords(place);
                held.iter().any(|held| values.contains(held))
            }
            Self::Flag { place, value } => {
                matches!(document.value(place), Value::Boolean(held) if *held == value)
            }
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
    /// The score with this factor. Word by word, as OpenSearch does: a product is rounded at each step.
    fn times(&self, score: f64, document: &Document) -> f64 {
        match self {
            Self::Gauss {
                place,
                origin,
                scale_m,
                decay,
            } => {
                let far = distance_from(document, *place, *origin);
                score * far.map_or(1.0, |far| gauss(far, *scale_m, *decay))
            }
            Self::Number { place, missing } => match *document.value(*place) {
                Value::Number(number) => score * number,
                _ => score * *missing,
            },
            Self::Words {
                place,
                asked,
                beginning,
                otherwise,
            } => {
                let last = asked.len().saturating_sub(1);
                let has = |word: &str| document.words(*place).any(|held| held == word);
                let begins = |word: &str| document.words(*place).any(|held| held.starts_with(word));
                let words = asked.iter().enumerate();
                words.fold(score, |score, (at, word)| {
                    if has(word) {
                        score
                    } else if at == last && begins(word) {
                        score * beginning
                    } else {
                        score * otherwise
                    }
                })
            }
        }
    }
}

fn distance_from(document: &Document, place: usize, from: GeoPoint) -> Option<f64> {
    match document.value(place) {
        Value::Geo(point) => Some(distance_m(from, *point)),
        _ => None,
    }
}
