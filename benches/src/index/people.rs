//! Invented practitioners: as many as are wanted, in a few thousand places of a continent, most of them
//! where others are.

use std::collections::BTreeMap;
use std::ops::Range;

use praxis_host::capabilities::index::{
    Change, Clause, DateRange, Factor, Field, Flag, Gauss, GeoDistance, GeoPoint, NumberValue,
    Order, Query, Terms, Value, Words,
};
use praxis_host::manifest::FieldType;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

pub const HITS: usize = 20;
pub const RADIUS_M: f64 = 25_000.0;
pub const RATING_MISSING: f64 = 3.0;
pub const DECAY: f64 = 0.5;
/// As many as the real ones that `praxis demo-directory` is fed with.
const PLACES: usize = 16_147;
const TOWNS: usize = 1_500;
/// Degrees around a town.
const TOWN: f64 = 0.15;
const SPECIALTIES: usize = 36;
const NOW_MS: i64 = 1_795_000_000_000;
const HOUR_MS: i64 = 3_600_000;
/// A search asks for a slot within these.
const WITHIN_HOURS: i64 = 7 * 24;
/// Next slots lie within these.
const HORIZON_HOURS: i64 = 14 * 24;

pub struct People {
    pub all: Vec<Person>,
    random: StdRng,
    version: u64,
}

pub struct Person {
    pub specialty: usize,
    pub place: GeoPoint,
    /// None: nobody has rated yet.
    pub rating: Option<f64>,
    pub next_ms: i64,
}

/// What somebody looks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub specialty: usize,
    pub center: GeoPoint,
}

impl People {
    pub fn new(count: usize) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let towns: Vec<GeoPoint> = (0..TOWNS)
            .map(|_| GeoPoint {
                lat: random.random_range(36.0..60.0),
                lon: random.random_range(-9.0..25.0),
            })
            .collect();
        let places: Vec<GeoPoint> = (0..PLACES)
            .map(|_| {
                // The first towns have the most.
                let town = towns[random
                    .random_range(0..TOWNS)
                    .min(random.random_range(0..TOWNS))];
                GeoPoint {
                    lat: town.lat + random.random_range(-TOWN..TOWN),
                    lon: town.lon + random.random_range(-TOWN..TOWN),
                }
            })
            .collect();
        let all = (0..count).map(|_| Person {
            specialty: random.random_range(0..SPECIALTIES),
            place: places[random.random_range(0..PLACES)],
            rating: random
                .random_bool(0.9)
                .then(|| f64::from(random.random_range(20..=50_u8)) / 10.0),
            next_ms: NOW_MS + HOUR_MS * random.random_range(1..HORIZON_HOURS),
        });
        Self {
            all: all.collect(),
            random,
            version: 1,
        }
    }

    pub fn anybody(&mut self) -> usize {
        self.random.random_range(0..self.all.len())
    }

    /// Searches begin where practitioners are.
    pub fn wanted(&mut self) -> Wanted {
        let who = self.anybody();
        Wanted {
            specialty: self.random.random_range(0..SPECIALTIES),
            center: self.all[who].place,
        }
    }

    /// As their two sources tell it.
    pub fn told(&self, range: Range<usize>) -> Vec<Change> {
        let both = range.flat_map(|who| {
            let person = &self.all[who];
            let mut fields = vec![
                field("name", Value::Text(format!("Dr. Person {who} Miller"))),
                field("specialty", Value::Keyword(specialty(person.specialty))),
                field("practice", Value::Keyword("House of Health".to_owned())),
                field("city", Value::Keyword("Town".to_owned())),
                field("country", Value::Keyword("DE".to_owned())),
                field("time_zone", Value::Keyword("Europe/Berlin".to_owned())),
                field("location", Value::Geo(person.place)),
                field("telehealth", Value::Boolean(who % 4 == 0)),
                field("languages", Value::Keywords(vec!["de".to_owned()])),
                field("active", Value::Boolean(true)),
            ];
            fields.extend(person.rating.map(|of| field("rating", Value::Number(of))));
            let next = vec![field("next_available_slot", Value::Date(person.next_ms))];
            [
                change(who, "profile", 1, fields),
                change(who, "availability", 1, next),
            ]
        });
        both.collect()
    }

    /// Another next slot, and a search that has them among its hits.
    pub fn next_slot(&mut self, who: usize) -> (Change, Query) {
        self.version += 1;
        let next = NOW_MS + HOUR_MS * self.random.random_range(1..WITHIN_HOURS);
        // Its own to the millisecond, or the one of a hundred others at the place is found first.
        let next = next + i64::try_from(self.version % 1_000_000).unwrap_or_default();
        self.all[who].next_ms = next;
        let fields = vec![field("next_available_slot", Value::Date(next))];
        let mut query = self.at(who).query();
        query.filter.push(Clause::DateRange(DateRange {
            field: "next_available_slot".to_owned(),
            from: Some(next),
            to: Some(next + 1),
        }));
        (change(who, "availability", self.version, fields), query)
    }

    /// Another name, and the search for it.
    pub fn name(&mut self, who: usize) -> (Change, Query) {
        self.version += 1;
        let name = format!("Dr. Renamed{} Miller", self.version);
        let words = Clause::Words(Words {
            field: "name".to_owned(),
            text: format!("renamed{}", self.version),
            typos: false,
        });
        let query = Query {
            filter: vec![words],
            ..self.at(who).query()
        };
        let fields = vec![field("name", Value::Text(name))];
        (change(who, "profile", self.version, fields), query)
    }

    fn at(&self, who: usize) -> Wanted {
        let Person {
            specialty, place, ..
        } = self.all[who];
        Wanted {
            specialty,
            center: place,
        }
    }
}

impl Person {
    pub fn is_free(&self) -> bool {
        (NOW_MS..NOW_MS + WITHIN_HOURS * HOUR_MS).contains(&self.next_ms)
    }
}

impl Wanted {
    /// As the search component asks.
    pub fn query(&self) -> Query {
        Query {
            filter: vec![
                Clause::Flag(Flag {
                    field: "active".to_owned(),
                    value: true,
                }),
                Clause::DateRange(DateRange {
                    field: "next_available_slot".to_owned(),
                    from: Some(NOW_MS),
                    to: Some(NOW_MS + WITHIN_HOURS * HOUR_MS),
                }),
                Clause::GeoDistance(GeoDistance {
                    field: "location".to_owned(),
                    center: self.center,
                    radius_m: RADIUS_M,
                }),
                Clause::Terms(Terms {
                    field: "specialty".to_owned(),
                    values: vec![specialty(self.specialty)],
                }),
            ],
            score: vec![
                Factor::NumberValue(NumberValue {
                    field: "rating".to_owned(),
                    missing: RATING_MISSING,
                }),
                Factor::Gauss(Gauss {
                    field: "location".to_owned(),
                    origin: self.center,
                    scale_m: RADIUS_M / 2.0,
                    decay: DECAY,
                }),
            ],
            order: Order::Score,
            facets: Vec::new(),
            limit: HITS as u32,
            cursor: None,
            distance_from: Some(("location".to_owned(), self.center)),
        }
    }
}

pub fn id(who: usize) -> String {
    Uuid::from_u128(who as u128).to_string()
}

/// As `spin.toml` has them.
pub fn fields(index: &str) -> BTreeMap<String, BTreeMap<String, FieldType>> {
    let fields = [
        ("name", FieldType::Text),
        ("specialty", FieldType::Keyword),
        ("practice", FieldType::Stored),
        ("city", FieldType::Stored),
        ("country", FieldType::Keyword),
        ("time_zone", FieldType::Stored),
        ("location", FieldType::GeoPoint),
        ("rating", FieldType::Number),
        ("languages", FieldType::Keyword),
        ("telehealth", FieldType::Boolean),
        ("active", FieldType::Boolean),
        ("next_available_slot", FieldType::Date),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
    BTreeMap::from([(index.to_owned(), BTreeMap::from(fields))])
}

fn specialty(number: usize) -> String {
    format!("specialty-{number}")
}

fn field(name: &str, value: Value) -> Field {
    Field {
        name: name.to_owned(),
        value,
    }
}

fn change(who: usize, source: &str, version: u64, fields: Vec<Field>) -> Change {
    Change {
        id: id(who),
        source: source.to_owned(),
        version,
        fields,
    }
}
