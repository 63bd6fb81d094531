//! A query as one request to OpenSearch, and its answer.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::super::geo::distance_m;
use super::super::schema::TOTAL_EXACT_MAX;
use super::super::words::{may_have_a_typo, words};
use super::super::{Clause, Error, Factor, Hit, Order, Position, Query, Schema};
use super::layout::{self, ID};

/// Of all the words that are like one with a typo.
const SIMILAR_WORDS_MAX: usize = 1_000;

/// Without its size and where it begins.
pub fn body(query: &Query) -> Json {
    let mut filter: Vec<_> = query.filter.iter().flat_map(clauses).collect();
    let key = match &query.order {
        Order::Score => json!({ "_score": "desc" }),
        Order::Nearest((field, from)) => {
            filter.push(json!({ "exists": { "field": field } }));
            json!({
                "_geo_distance": {
                    field: { "lat": from.lat, "lon": from.lon },
                    "order": "asc",
                    "unit": "m",
                    "distance_type": "arc",
                },
            })
        }
        Order::Earliest(field) => {
            filter.push(json!({ "exists": { "field": field } }));
            json!({ field: { "order": "asc" } })
        }
    };
    let filter = json!({ "bool": { "filter": filter } });
    let functions: Vec<_> = query.score.iter().flat_map(functions).collect();
    let scored = if functions.is_empty() {
        json!({ "constant_score": { "filter": filter, "boost": 1.0 } })
    } else {
        json!({
            "function_score": {
                "query": filter,
                "functions": functions,
                "score_mode": "multiply",
                "boost_mode": "replace",
            },
        })
    };
    json!({
        "query": scored,
        "sort": [key, { ID: "asc" }],
        "track_scores": true,
        "track_total_hits": TOTAL_EXACT_MAX,
    })
}

fn clauses(clause: &Clause) -> Vec<Json> {
    match clause {
        Clause::Terms(terms) => vec![json!({ "terms": { &terms.field: terms.values } })],
        Clause::Flag(flag) => vec![json!({ "term": { &flag.field: flag.value } })],
        Clause::GeoDistance(circle) => vec![json!({
            "geo_distance": {
                "distance": format!("{}m", circle.radius_m),
                "distance_type": "arc",
                &circle.field: { "lat": circle.center.lat, "lon": circle.center.lon },
            },
        })],
        Clause::DateRange(range) => {
            let mut bounds = json!({ "format": "epoch_millis" });
            if let Some(from) = range.from {
                bounds["gte"] = json!(from);
            }
            if let Some(to) = range.to {
                bounds["lt"] = json!(to);
            }
            let exists = json!({ "exists": { "field": &range.field } });
            vec![json!({ "range": { &range.field: bounds } }), exists]
        }
        Clause::Words(asked) => {
            let words = words(&asked.text);
            let last = words.len().saturating_sub(1);
            let field = layout::words_of(&asked.field);
            let clauses = words.iter().enumerate().map(|(at, word)| {
                let word_itself = match at == last {
                    true => json!({ "prefix": { &field: word } }),
                    false => json!({ "term": { &field: word } }),
                };
                match asked.typos && may_have_a_typo(word) {
                    true => json!({ "bool": { "should": [word_itself, similar(&field, word)] } }),
                    false => word_itself,
                }
            });
            clauses.collect()
        }
    }
}

fn similar(field: &str, word: &str) -> Json {
    json!({
        "fuzzy": {
            field: {
                "value": word,
                "fuzziness": 1,
                "transpositions": true,
                "max_expansions": SIMILAR_WORDS_MAX,
            },
        },
    })
}

fn functions(factor: &Factor) -> Vec<Json> {
    match factor {
        Factor::Gauss(gauss) => vec![json!({
            "gauss": {
                &gauss.field: {
                    "origin": { "lat": gauss.origin.lat, "lon": gauss.origin.lon },
                    "scale": format!("{}m", gauss.scale_m),
                    "decay": gauss.decay,
                },
            },
        })],
        Factor::NumberValue(number) => vec![json!({
            "field_value_factor": { "field": number.field, "missing": number.missing },
        })],
        // A word that is there costs nothing: no function matches, and that counts as 1.
        Factor::WordsMatch(asked) => {
            let words = words(&asked.text);
            let field = layout::words_of(&asked.field);
            let holds = |kind: &str, word: &str| json!({ kind: { &field: word } });
            let without = |kind: &str, word: &str| json!({ "must_not": [holds(kind, word)] });
            let weighted = |clauses: Json, weight: f64| json!({ "filter": { "bool": clauses }, "weight": weight });
            let Some((last, whole)) = words.split_last() else {
                return Vec::new();
            };
            let mut functions: Vec<_> = whole
                .iter()
                .map(|word| weighted(without("term", word), asked.otherwise))
                .collect();
            let mut only_begins = without("term", last);
            only_begins["filter"] = json!([holds("prefix", last)]);
            functions.push(weighted(only_begins, asked.beginning));
            functions.push(weighted(without("prefix", last), asked.otherwise));
            functions
        }
    }
}

#[derive(Deserialize)]
pub struct Answer {
    pub hits: Hits,
    #[serde(default)]
    pub aggregations: Json,
}

#[derive(Deserialize)]
pub struct Hits {
    pub total: Total,
    pub hits: Vec<Found>,
}

#[derive(Deserialize)]
pub struct Total {
    pub value: u64,
}

#[derive(Deserialize)]
pub struct Found {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_score")]
    score: f64,
    #[serde(rename = "_source")]
    source: Json,
    /// The key as it was written: `serde_json` reads a number of 17 digits into one that may stand
    /// beside it, and a page that begins there skips those who are alike.
    sort: (Box<RawValue>, String),
}

impl Found {
    pub fn position(&self) -> Result<Position, Error> {
        let key = self.sort.0.get().parse().map_err(Error::unavailable)?;
        Ok(Position {
            key,
            id: self.id.clone(),
        })
    }

    pub fn read(&self, schema: &Schema, query: &Query) -> Hit {
        let far = query.distance_from.as_ref().and_then(|(field, from)| {
            let point = layout::point_of(self.source.get(field)?)?;
            Some(distance_m(*from, point))
        });
        Hit {
            id: self.id.clone(),
            score: self.score,
            distance_m: far,
            fields: layout::fields(schema, &self.source),
        }
    }
}

/// What the page behind such a place is asked for with.
pub fn search_after(query: &Query, place: &Position) -> Json {
    match &query.order {
        Order::Score | Order::Nearest(_) => json!([place.key, place.id]),
        // A date is a whole number of milliseconds; with a fraction it is refused.
        Order::Earliest(_) => json!([place.key as i64, place.id]),
    }
}
