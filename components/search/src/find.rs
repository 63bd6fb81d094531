//! `GET /v1/practitioners/search`.

use jiff::Timestamp;
use praxis_domain::practitioner::Language;
use praxis_domain::search::{self, Days, Search};
use praxis_platform::clock;
use praxis_platform::index::search::{
    Clause, DateRange, Factor, Flag, Gauss, GeoDistance, Hit, NumberValue, Order, Page, Query,
    Terms, Words, WordsMatch, run,
};
use praxis_platform::index::{self, GeoPoint, Value};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;

use crate::INDEX;
use crate::facets;

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
    /// BCP 47.
    languages: Vec<String>,
    telehealth: bool,
    time_zone: String,
    next_available_slot: Option<Timestamp>,
    score: f64,
}

#[derive(Default, Serialize)]
struct Location {
    lat: f64,
    lon: f64,
}

/// Active practitioners around a place with a free slot, by distance decay × rating × how well the name
/// fits, by distance or by their next free slot; ties by id. What is counted among them is counted on every page.
/// `503` if the index can't be reached; everything else goes on without it.
pub async fn get(request: &Request) -> Result<Response, Problem> {
    let parameters = request.query(&search::PARAMETERS)?;
    let mut search =
        Search::parse(|name| parameters.get(name), clock::now()).map_err(Problem::invalid)?;
    let days = search.days();
    let mut page = ask(&search, days.as_ref()).await?;
    if page.total == 0
        && let Some(nearly) = search.clone().with_typos()
    {
        search = nearly;
        page = ask(&search, days.as_ref()).await?;
    }
    let items: Vec<Item> = page.hits.into_iter().map(item).collect();
    let next_cursor = page.next.map(|cursor| search.next_cursor(&cursor));
    let mut answer = json!({ "items": items, "total": page.total, "next_cursor": next_cursor });
    if !page.facets.is_empty() {
        answer["facets"] = facets::told(page.facets, days.as_ref());
    }
    Ok(response::json(StatusCode::OK, &answer))
}

async fn ask(search: &Search, days: Option<&Days>) -> Result<Page, Problem> {
    run(INDEX.to_owned(), query(search, days))
        .await
        .map_err(|error| refused(error, search))
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
        | index::Error::Conflict(_)
        | index::Error::Unavailable => error.into(),
    }
}

fn query(search: &Search, days: Option<&Days>) -> Query {
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
    if let Some(around) = &search.around {
        let center = GeoPoint {
            lat: around.lat,
            lon: around.lon,
        };
        filter.push(Clause::GeoDistance(GeoDistance {
            field: "location".to_owned(),
            center,
            radius_m: around.radius_m(),
        }));
        filter.push(Clause::Terms(Terms {
            field: "specialty".to_owned(),
            values: around.specialty_keys(),
        }));
        score.push(Factor::Gauss(Gauss {
            field: "location".to_owned(),
            origin: center,
            scale_m: around.scale_m(),
            decay: search::DECAY,
        }));
        distance_from = Some(("location".to_owned(), center));
    }
    if !search.languages.is_empty() {
        let values = search.languages.iter().map(Language::to_string);
        filter.push(Clause::Terms(Terms {
            field: "languages".to_owned(),
            values: values.collect(),
        }));
    }
    if search.telehealth {
        filter.push(Clause::Flag(Flag {
            field: "telehealth".to_owned(),
            value: true,
        }));
    }
    if let Some(words) = &search.words {
        score.push(Factor::WordsMatch(WordsMatch {
            field: "name".to_owned(),
            text: words.clone(),
            beginning: search::WORD_BEGINS,
            otherwise: search::WORD_WITH_TYPO,
        }));
        filter.push(Clause::Words(Words {
            field: "name".to_owned(),
            text: words.clone(),
            typos: search.typos,
        }));
    }
    let order = match (search.order, &distance_from) {
        (search::Order::Nearest, Some(from)) => Order::Nearest(from.clone()),
        // Nowhere to be near to: the parameters have been refused.
        (search::Order::Best, _) | (search::Order::Nearest, None) => Order::Score,
        (search::Order::Soonest, _) => Order::Earliest("next_available_slot".to_owned()),
    };
    Query {
        filter,
        score,
        order,
        facets: facets::asked(search, days),
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
        languages: Vec::new(),
        telehealth: false,
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
            ("languages", Value::Keywords(languages)) => item.languages = languages,
            ("telehealth", Value::Boolean(flag)) => item.telehealth = flag,
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
