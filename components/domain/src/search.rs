//! What a search for practitioners asks.

use jiff::{SignedDuration, Timestamp};

use crate::FieldError;
use crate::practitioner::Specialty;

pub const RADIUS_KM_MAX: f64 = 200.0;
pub const LIMIT_MAX: u32 = 100;
pub const LIMIT_DEFAULT: u32 = 20;
pub const WORDS_CHARS_MAX: usize = 100;
const CURSOR_BYTES_MAX: usize = 2_048;

/// Who is free within this time is found, if the caller does not say.
const AVAILABLE_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What counts where nobody has rated yet.
pub const RATING_MISSING: f64 = 3.0;

/// The distance factor at half the radius.
pub const DECAY: f64 = 0.5;

/// The parameters that there are.
pub const PARAMETERS: [&str; 8] = [
    "lat",
    "lon",
    "radius_km",
    "specialty",
    "available_before",
    "q",
    "limit",
    "cursor",
];

/// Where, and for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Around {
    pub lat: f64,
    pub lon: f64,
    pub radius_km: f64,
    pub specialty: Specialty,
}

impl Around {
    pub fn radius_m(&self) -> f64 {
        self.radius_km * 1_000.0
    }

    /// The distance at which the factor is `DECAY`.
    pub fn scale_m(&self) -> f64 {
        self.radius_m() / 2.0
    }
}

/// A search, checked. `around` or `words` is there, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub around: Option<Around>,
    /// Words of the name.
    pub words: Option<String>,
    /// The next free slot is not before this, and before that.
    pub available: (Timestamp, Timestamp),
    pub limit: u32,
    /// Where the index goes on.
    pub index_cursor: Option<String>,
}

impl Search {
    /// Reads the parameters of a query, which `get` finds by name, decoded; every one that is
    /// wrong is named.
    pub fn parse<'a>(
        get: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<Self, Vec<FieldError>> {
        let mut query = Query {
            get,
            errors: Vec::new(),
        };
        let words = query.words();
        let around = query.around(words.is_some());
        let available = query.available(now);
        let limit = query.limit();
        let cursor = query.cursor();
        if !query.errors.is_empty() {
            return Err(query.errors);
        }
        let search = Self {
            around,
            words,
            available,
            limit,
            index_cursor: None,
        };
        Ok(match cursor {
            Some(cursor) => Self {
                available: cursor.available,
                index_cursor: Some(cursor.index),
                ..search
            },
            None => search,
        })
    }

    /// The cursor of the next page. It keeps the times that this page was asked with: as the clock
    /// moves on, the pages still belong together.
    pub fn next_cursor(&self, index: &str) -> String {
        let (from, before) = self.available;
        let index: String = index.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "1.{}.{}.{index}",
            from.as_millisecond(),
            before.as_millisecond()
        )
    }
}

/// Kilometres, to the metre.
pub fn distance_km(distance_m: f64) -> f64 {
    distance_m.round() / 1_000.0
}

struct Cursor {
    available: (Timestamp, Timestamp),
    index: String,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let mut parts = text.split('.');
        let (version, from, before, index) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "1" || parts.next().is_some() {
            return None;
        }
        Some(Self {
            available: (milliseconds(from)?, milliseconds(before)?),
            index: unhex(index)?,
        })
    }
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

fn unhex(text: &str) -> Option<String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(pairs.collect::<Option<_>>()?).ok()
}

/// The parameters and what is wrong with them.
struct Query<F> {
    get: F,
    errors: Vec<FieldError>,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Query<F> {
    fn error(&mut self, name: &str, detail: impl Into<String>) {
        self.errors
            .push(FieldError::new(format!("/query/{name}"), detail));
    }

    /// An empty parameter is the same as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        let value = (self.get)(name)?.trim();
        Some(value).filter(|value| !value.is_empty())
    }

    fn words(&mut self) -> Option<String> {
        let words = self.get("q")?;
        if words.chars().count() > WORDS_CHARS_MAX {
            self.error(
                "q",
                format!("must have {WORDS_CHARS_MAX} characters at most"),
            );
        } else if !words.contains(char::is_alphanumeric) {
            self.error("q", "must hold a word");
        }
        Some(words.to_owned())
    }

    fn around(&mut self, has_words: bool) -> Option<Around> {
        let names = ["lat", "lon", "radius_km", "specialty"];
        if has_words && names.iter().all(|name| self.get(name).is_none()) {
            return None;
        }
        let lat = self.number("lat", -90.0, 90.0);
        let lon = self.number("lon", -180.0, 180.0);
        let radius_km = self.number("radius_km", 0.0, RADIUS_KM_MAX);
        if radius_km == Some(0.0) {
            self.error("radius_km", "must be more than 0");
        }
        let specialty = self.required("specialty").map(Specialty::parse);
        if specialty == Some(None) {
            self.error("specialty", "is not one of those at /v1/specialties");
        }
        Some(Around {
            lat: lat?,
            lon: lon?,
            radius_km: radius_km?,
            specialty: specialty??,
        })
    }

    fn required(&mut self, name: &str) -> Option<&'a str> {
        let value = self.get(name);
        if value.is_none() {
            self.error(
                name,
                "is missing: lat, lon, radius_km and specialty go together",
            );
        }
        value
    }

    fn number(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.required(name)?;
        let number = value
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.error(name, format!("must be a number from {least} to {most}"));
        }
        number
    }

    fn available(&mut self, now: Timestamp) -> (Timestamp, Timestamp) {
        let default = now
            .saturating_add(AVAILABLE_WITHIN)
            .unwrap_or(Timestamp::MAX);
        let Some(text) = self.get("available_before") else {
            return (now, default);
        };
        let Ok(before) = text.parse::<Timestamp>() else {
            self.error(
                "available_before",
                "must be an RFC 3339 instant, like 2026-11-30T00:00:00Z",
            );
            return (now, default);
        };
        // With a cursor, the times of the first page hold, and this one may have gone by.
        if before <= now && self.get("cursor").is_none() {
            self.error("available_before", "must be in the future");
        }
        (now, before)
    }

    fn limit(&mut self) -> u32 {
        let Some(text) = self.get("limit") else {
            return LIMIT_DEFAULT;
        };
        match text.parse() {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Ok(_) | Err(_) => {
                self.error(
                    "limit",
                    format!("must be a whole number from 1 to {LIMIT_MAX}"),
                );
                LIMIT_DEFAULT
            }
        }
    }

    fn cursor(&mut self) -> Option<Cursor> {
        let cursor = Cursor::parse(self.get("cursor")?);
        if cursor.is_none() {
            self.error("cursor", "must be the next_cursor of an earlier answer");
        }
        cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn parse(query: &str) -> Result<Search, Vec<FieldError>> {
        parse_at(query, NOW)
    }

    fn parse_at(query: &str, now: &str) -> Result<Search, Vec<FieldError>> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let get = |name: &str| {
            pairs
                .clone()
                .find(|(known, _)| *known == name)
                .map(|(_, v)| v)
        };
        Search::parse(get, now.parse().unwrap())
    }

    fn pointers(query: &str) -> Vec<String> {
        let errors = parse(query).unwrap_err();
        errors.into_iter().map(|error| error.pointer).collect()
    }

    const BERLIN: &str = "lat=52.5&lon=13.4&radius_km=25&specialty=cardiology";

    #[test]
    fn a_search_around_a_place_has_defaults() {
        let search = parse(BERLIN).unwrap();
        let around = search.around.unwrap();
        assert_eq!((around.radius_m(), around.scale_m()), (25_000.0, 12_500.0));
        let (from, before) = search.available;
        assert_eq!(from.to_string(), NOW);
        assert_eq!(before.to_string(), "2026-11-29T12:00:00Z");
        assert_eq!(search.limit, LIMIT_DEFAULT);
    }

    #[test]
    fn a_name_is_enough_and_narrows() {
        assert_eq!(parse("q=weidenbach").unwrap().around, None);
        let both = parse(&format!("{BERLIN}&q=weidenbach")).unwrap();
        assert!(both.around.is_some() && both.words.is_some());
    }

    #[test]
    fn place_and_specialty_go_together() {
        let all = [
            "/query/lat",
            "/query/lon",
            "/query/radius_km",
            "/query/specialty",
        ];
        assert_eq!(pointers(""), all);
        assert_eq!(pointers("lat=52&lon=13&q=a"), all[2..]);
        assert_eq!(pointers("specialty=cardiology"), all[..3]);
    }

    #[test]
    fn every_parameter_that_is_wrong_is_named() {
        for (more, name) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("q=\"", "q"),
            ("available_before=tomorrow", "available_before"),
            ("available_before=2026-11-22T12:00:00Z", "available_before"),
            ("cursor=x", "cursor"),
            ("cursor=1.2.3.4", "cursor"),
            ("cursor=1.x.3.41", "cursor"),
        ] {
            assert_eq!(
                pointers(&format!("{BERLIN}&{more}")),
                [format!("/query/{name}")]
            );
        }
        assert_eq!(
            pointers("lat=91&lon=NaN&radius_km=0&specialty=x"),
            [
                "/query/lat",
                "/query/lon",
                "/query/radius_km",
                "/query/specialty"
            ]
        );
        assert_eq!(
            pointers("lat=1&lon=1&radius_km=201&specialty=ent"),
            ["/query/radius_km"]
        );
    }

    #[test]
    fn the_next_page_keeps_the_times_of_the_first() {
        let first = parse(&format!("{BERLIN}&available_before=2026-11-24T00:00:00Z")).unwrap();
        let cursor = first.next_cursor("[0.5,\"ü\"]");
        let again = format!("{BERLIN}&available_before=2026-11-24T00:00:00Z&cursor={cursor}");
        let next = parse_at(&again, "2026-11-25T00:00:00Z").unwrap();
        assert_eq!(next.available, first.available);
        assert_eq!(next.index_cursor.as_deref(), Some("[0.5,\"ü\"]"));
    }

    #[test]
    fn distances_are_told_to_the_metre() {
        assert_eq!(distance_km(1_234.567), 1.235);
    }
}
