//! Counts of values among all that match, as OpenSearch's aggregations.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::super::{Counts, DatesFacet, Error, Facet, Query, ValueCount, ValuesFacet};

/// Values that each shard tells of: with no more than these in the field, the counts are exact.
const SHARD_VALUES_MAX: usize = 1_000;

/// One a facet, by its number.
pub fn aggregations(query: &Query) -> Json {
    let named = query.facets.iter().enumerate().map(|(number, facet)| {
        let aggregation = match facet {
            Facet::Values(values) => of_values(values),
            Facet::Dates(dates) => of_dates(dates),
        };
        (number.to_string(), aggregation)
    });
    Json::Object(named.collect::<Map<_, _>>())
}

pub fn counts(query: &Query, answer: &Json) -> Result<Vec<Counts>, Error> {
    let facets = query.facets.iter().enumerate();
    let counts = facets.map(|(number, facet)| {
        let buckets = &answer[number.to_string()]["buckets"];
        match facet {
            Facet::Values(_) => {
                let buckets: Vec<ValueBucket> = read(buckets)?;
                Ok(Counts::Values(
                    buckets.into_iter().map(ValueCount::from).collect(),
                ))
            }
            Facet::Dates(dates) => {
                let buckets: Vec<DateBucket> = read(buckets)?;
                let mut counts = vec![0; dates.bounds.len().saturating_sub(1)];
                for bucket in buckets {
                    let at = dates.bounds.binary_search(&(bucket.from as i64));
                    if let Some(count) = at.ok().and_then(|at| counts.get_mut(at)) {
                        *count = bucket.doc_count;
                    }
                }
                Ok(Counts::Dates(counts))
            }
        }
    });
    counts.collect()
}

fn of_values(values: &ValuesFacet) -> Json {
    json!({
        "terms": {
            "field": values.field,
            "size": values.limit,
            "shard_size": SHARD_VALUES_MAX,
            "order": [{ "_count": "desc" }, { "_key": "asc" }],
        },
    })
}

fn of_dates(dates: &DatesFacet) -> Json {
    let ranges = dates.bounds.windows(2);
    let ranges: Vec<_> = ranges
        .map(|range| json!({ "from": range[0], "to": range[1] }))
        .collect();
    json!({
        "date_range": {
            "field": dates.field,
            "format": "epoch_millis",
            "ranges": ranges,
        },
    })
}

#[derive(Deserialize)]
struct ValueBucket {
    key: String,
    doc_count: u64,
}

#[derive(Deserialize)]
struct DateBucket {
    from: f64,
    doc_count: u64,
}

impl From<ValueBucket> for ValueCount {
    fn from(bucket: ValueBucket) -> Self {
        Self {
            value: bucket.key,
            count: bucket.doc_count,
        }
    }
}

fn read<T: for<'a> Deserialize<'a>>(buckets: &Json) -> Result<Vec<T>, Error> {
    let buckets = Vec::deserialize(buckets);
    buckets.map_err(|error| Error::unavailable(format!("OpenSearch's counts: {error}")))
}
