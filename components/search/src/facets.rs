//! What is counted among all that match.

use praxis_domain::practitioner::Specialty;
use praxis_domain::search::{Days, Search};
use praxis_platform::index::search::{Counts, DatesFacet, Facet, ValuesFacet};
use serde_json::{Map, Value, json};

pub fn asked(search: &Search, days: Option<&Days>) -> Vec<Facet> {
    let specialties = search.facets.specialty.then(|| {
        Facet::Values(ValuesFacet {
            field: "specialty".to_owned(),
            // All that there are.
            limit: u32::try_from(Specialty::all().count()).unwrap_or(u32::MAX),
        })
    });
    let days = days.map(|days| {
        Facet::Dates(DatesFacet {
            field: "next_available_slot".to_owned(),
            bounds: days.bounds_ms(),
        })
    });
    specialties.into_iter().chain(days).collect()
}

/// `{ "specialty": [{ "specialty": "ent", "count": 3 }], "day": [{ "date": "2026-11-23", "count": 3 }] }`
pub fn told(counts: Vec<Counts>, days: Option<&Days>) -> Value {
    let mut told = Map::new();
    for counts in counts {
        match counts {
            Counts::Values(counts) => {
                let counts = counts
                    .into_iter()
                    .map(|one| json!({ "specialty": one.value, "count": one.count }));
                told.insert("specialty".to_owned(), counts.collect());
            }
            Counts::Dates(counts) => {
                let dates = days.map(Days::dates).unwrap_or_default();
                let counts = dates
                    .iter()
                    .zip(counts)
                    .map(|(date, count)| json!({ "date": date.to_string(), "count": count }));
                told.insert("day".to_owned(), counts.collect());
            }
        }
    }
    Value::Object(told)
}
