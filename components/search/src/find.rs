//! `GET /v1/practitioners/search`.

use jiff::Timestamp;
use praxis_domain::search::{self, Search};
use praxis_platform::clock;
use praxis_platform::index::search::{
    Clause, DateRange, Factor, Flag, Gauss, GeoDistance, Hit, NumberValue, Query, Term, Words, run,
};
use praxis_platform::index::{self, GeoPoint, Value};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;

use crate::INDEX;

/// One practitioner that was found.
#[derive(Serialize)]
struct Item {
    practitioner_id: String,
    name: String,
    specialty: String,
    practice: String,
    city: String,
    country: String,
    location: Location,
    /// From the place that was asked for; null where none was.
    distance_km: Option<f64>,
    /// Null: nobody has rated yet.
    rating: Option<f64>,
    time_zone: String,
    next_available_slot: Option<Timestamp>,
    score: f64,
}

#[derive(Default, Serialize)]
struct Location {
    lat: f64,
    lon: f64,
}

/// Active practitioners around a place with a free slot, by distance decay × rating, ties by id.
/// `503` if the index can't be reached; everything else goes on without it.
pub async fn get(request: &Request) -> Result<Response, Problem> {
    let parameters = request.query(&search::PARAMETERS)?;
    let search =
        Search::parse(|name| parameters.get(name), clock::now()).map_err(Problem::invalid)?;
    let page = run(INDEX.to_owned(), query(&search))
        .await
        .map_err(|error| refused(error, &search))?;
    let items: Vec<Item> = page.hits.into_iter().map(item).collect();
    let next_cursor = page.next.map(|cursor| search.next_cursor(&cursor));
    let answer = json!({ "items": items, "total": page.total, "next_cursor": next_cursor });
    Ok(response::json(StatusCode::OK, &answer))
}

fn refused(error: index::Error, search: &Search) -> Problem {
    match error {
        // All that we hand on unread is the cursor.
        index::Error::Invalid(_) if search.index_cursor.is_some() => Problem::field(
            "/query/cursor",
            "must be the next_cursor of an earlier answer",
        ),
        index::Error::Invalid(_)
        | index::Error::NotGranted(_)
        | index::Error::BadField(_)
        | index::Error::Unavailable => error.into(),
    }
}

fn query(search: &Search) -> Query {
    let (from, before) = search.available;
    let mut filter = vec![
        Clause::Flag(Flag {
            field: "active".to_owned(),
            value: true,
        }),
        Clause::DateRange(DateRange {
            field: "next_available_slot".to_owned(),
            from: Some(from.as_millisecond()),
            to: Some(before.as_millisecond()),
        }),
    ];
    let mut score = vec![Factor::NumberValue(NumberValue {
        field: "rating".to_owned(),
        missing: search::RATING_MISSING,
    })];
    let mut distance_from = None;
    if let Some(around) = search.around {
        let center = GeoPoint {
            lat: around.lat,
            lon: around.lon,
        };
        filter.push(Clause::GeoDistance(GeoDistance {
            field: "location".to_owned(),
            center,
            radius_m: around.radius_m(),
        }));
        filter.push(Clause::Term(Term {
            field: "specialty".to_owned(),
            value: around.specialty.key().to_owned(),
        }));
        score.push(Factor::Gauss(Gauss {
            field: "location".to_owned(),
            origin: center,
            scale_m: around.scale_m(),
            decay: search::DECAY,
        }));
        distance_from = Some(("location".to_owned(), center));
    }
    if let Some(words) = &search.words {
        filter.push(Clause::Words(Words {
            field: "name".to_owned(),
            text: words.clone(),
        }));
    }
    Query {
        filter,
        score,
        limit: search.limit,
        cursor: search.index_cursor.clone(),
        distance_from,
    }
}

fn item(hit: Hit) -> Item {
    let mut item = Item {
        practitioner_id: hit.id,
        name: String::new(),
        specialty: String::new(),
        practice: String::new(),
        city: String::new(),
        country: String::new(),
        location: Location::default(),
        distance_km: hit.distance_m.map(search::distance_km),
        rating: None,
        time_zone: String::new(),
        next_available_slot: None,
        score: hit.score,
    };
    for field in hit.fields {
        match (field.name.as_str(), field.value) {
            ("name", Value::Text(text) | Value::Keyword(text)) => item.name = text,
            ("specialty", Value::Keyword(text)) => item.specialty = text,
            ("practice", Value::Text(text) | Value::Keyword(text)) => item.practice = text,
            ("city", Value::Text(text) | Value::Keyword(text)) => item.city = text,
            ("country", Value::Keyword(text)) => item.country = text,
            ("time_zone", Value::Text(text) | Value::Keyword(text)) => item.time_zone = text,
            ("rating", Value::Number(rating)) => item.rating = Some(rating),
            ("location", Value::Geo(GeoPoint { lat, lon })) => {
                item.location = Location { lat, lon };
            }
            ("next_available_slot", Value::Date(milliseconds)) => {
                item.next_available_slot = Timestamp::from_millisecond(milliseconds).ok();
            }
            // `active`, and whatever the index holds besides.
            _ => {}
        }
    }
    item
}
