//! A query as one request to OpenSearch, and its answer.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::geo::distance_m;
use super::super::schema::TOTAL_EXACT_MAX;
use super::super::words::words;
use super::super::{Clause, Factor, Hit, Position, Query, Schema};
use super::layout::{self, ID};

pub fn body(query: &Query, size: usize) -> Json {
    let filter: Vec<_> = query.filter.iter().flat_map(clauses).collect();
    let filter = json!({ "bool": { "filter": filter } });
    let functions: Vec<_> = query.score.iter().map(function).collect();
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
        "sort": [{ "_score": "desc" }, { ID: "asc" }],
        "size": size,
        "track_scores": true,
        "track_total_hits": TOTAL_EXACT_MAX,
    })
}

fn clauses(clause: &Clause) -> Vec<Json> {
    match clause {
        Clause::Term(term) => vec![json!({ "term": { &term.field: term.value } })],
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
            // Split here, so that both sides agree; the terms in the index are such words.
            let mut words = words(&asked.text);
            let last = words
                .pop()
                .map(|last| json!({ "prefix": { &asked.field: last } }));
            let whole = words
                .iter()
                .map(|word| json!({ "term": { &asked.field: word } }));
            whole.chain(last).collect()
        }
    }
}

fn function(factor: &Factor) -> Json {
    match factor {
        Factor::Gauss(gauss) => json!({
            "gauss": {
                &gauss.field: {
                    "origin": { "lat": gauss.origin.lat, "lon": gauss.origin.lon },
                    "scale": format!("{}m", gauss.scale_m),
                    "decay": gauss.decay,
                },
            },
        }),
        Factor::NumberValue(number) => json!({
            "field_value_factor": { "field": number.field, "missing": number.missing },
        }),
    }
}

#[derive(Deserialize)]
pub struct Answer {
    pub hits: Hits,
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
    #[serde(rename = "_source")]
    source: Json,
    sort: (f64, String),
}

impl Found {
    pub fn position(&self) -> Position {
        Position {
            score: self.sort.0,
            id: self.id.clone(),
        }
    }

    pub fn read(&self, schema: &Schema, query: &Query) -> Hit {
        let far = query.distance_from.as_ref().and_then(|(field, from)| {
            let point = layout::point_of(self.source.get(field)?)?;
            Some(distance_m(*from, point))
        });
        Hit {
            id: self.id.clone(),
            score: self.sort.0,
            distance_m: far,
            fields: layout::fields(schema, &self.source),
        }
    }
}
