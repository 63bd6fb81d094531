//! What a search for practitioners asks.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::FieldError;
use crate::practitioner::{Language, Specialty};
use crate::zone::Zone;

mod cursor;
mod days;

use cursor::{Cursor, hex};
pub use days::{DAYS_MAX, Days};

pub const RADIUS_KM_MAX: f64 = 200.0;
/// A metre: within less there is no place, and a decay over it is no number.
pub const RADIUS_KM_MIN: f64 = 0.001;
pub const LIMIT_MAX: u32 = 100;
pub const LIMIT_DEFAULT: u32 = 20;
pub const WORDS_CHARS_MAX: usize = 100;
/// In UTF-8: what the index takes.
pub const WORDS_BYTES_MAX: usize = 256;
pub const SPECIALTIES_MAX: usize = 10;
/// That one search names.
pub const LANGUAGES_MAX: usize = 10;
/// Enough that no two searches of one client meet; who forges one only confuses themselves.
const FINGERPRINT_BYTES: usize = 8;

/// Who is free within this time is found, if the caller does not say.
const AVAILABLE_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What counts where nobody has rated yet.
pub const RATING_MISSING: f64 = 3.0;

/// The distance factor at half the radius.
pub const DECAY: f64 = 0.5;

/// What a word that is asked for counts where the name has it as it is: 1. Where it only begins a word:
pub const WORD_BEGINS: f64 = 0.8;
/// Where it is there with a typo.
pub const WORD_WITH_TYPO: f64 = 0.6;

/// The parameters that there are.
pub const PARAMETERS: [&str; 13] = [
    "lat",
    "lon",
    "radius_km",
    "specialty",
    "language",
    "telehealth",
    "available_before",
    "q",
    "order",
    "facets",
    "time_zone",
    "limit",
    "cursor",
];

/// Where, and for what.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    pub lat: f64,
    pub lon: f64,
    pub radius_km: f64,
    /// Any of these; there is one at least.
    pub specialties: Vec<Specialty>,
}

impl Around {
    pub fn radius_m(&self) -> f64 {
        self.radius_km * 1_000.0
    }

    pub fn specialty_keys(&self) -> Vec<String> {
        let keys = self.specialties.iter().map(|of| of.key().to_owned());
        keys.collect()
    }

    /// The distance at which the factor is `DECAY`.
    pub fn scale_m(&self) -> f64 {
        self.radius_m() / 2.0
    }
}

/// Who comes first. Those that are equal in it go by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the score.
    Best,
    /// By the distance from the place that is asked for.
    Nearest,
    /// By the next free slot.
    Soonest,
}

/// What is counted among all that match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facets {
    pub specialty: bool,
    /// In this zone.
    pub day: Option<Zone>,
}

/// A search, checked. `around` or `words` is there, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub around: Option<Around>,
    /// Who speaks any of these; none: whatever they speak.
    pub languages: Vec<Language>,
    /// Only those who see people by video or telephone.
    pub telehealth: bool,
    /// Words of the name.
    pub words: Option<String>,
    /// They may be written with a typo: only where nobody is found who is called as they say.
    pub typos: bool,
    /// The next free slot is not before this, and before that.
    pub available: (Timestamp, Timestamp),
    pub order: Order,
    pub facets: Facets,
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
        let languages = query.languages();
        let telehealth = query.telehealth();
        let available = query.available(now);
        let order = query.order();
        let facets = query.facets();
        let limit = query.limit();
        let cursor = query.cursor();
        if !query.errors.is_empty() {
            return Err(query.errors);
        }
        let search = Self {
            around,
            languages,
            telehealth,
            words,
            typos: false,
            available,
            order,
            facets,
            limit,
            index_cursor: None,
        };
        match cursor {
            Some(cursor) if cursor.asked == search.fingerprint() => Ok(Self {
                available: cursor.available,
                typos: cursor.typos,
                index_cursor: Some(cursor.index),
                ..search
            }),
            Some(_) => {
                let detail = "is of another search: ask as for the page before";
                Err(vec![FieldError::new("/query/cursor", detail)])
            }
            None => Ok(search),
        }
    }

    /// What was asked, but for the size of a page and the times, which the cursor has itself: a cursor
    /// of another search would point at a place in another order.
    fn fingerprint(&self) -> String {
        let around = self.around.as_ref().map(|around| {
            let Around {
                lat,
                lon,
                radius_km,
                specialties,
            } = around;
            let place = [lat, lon, radius_km].map(|number| number.to_bits());
            let keys: Vec<_> = specialties.iter().map(|of| of.key()).collect();
            format!("{place:?} {keys:?}")
        });
        let Self {
            languages,
            telehealth,
            words,
            order,
            ..
        } = self;
        let asked = format!("{around:?} {languages:?} {telehealth} {words:?} {order:?}");
        let digest = Sha256::digest(asked.as_bytes());
        hex(&digest[..FINGERPRINT_BYTES])
    }

    /// The same search for names that are nearly those, if that could find more: the first page only,
    /// since the cursor of another says how its first was asked.
    pub fn with_typos(self) -> Option<Self> {
        let may = self.words.is_some() && !self.typos && self.index_cursor.is_none();
        may.then_some(Self {
            typos: true,
            ..self
        })
    }

    /// The days to count, if they are asked for.
    pub fn days(&self) -> Option<Days> {
        let (from, before) = self.available;
        let zone = self.facets.day.as_ref()?;
        Some(Days::between(from, before, zone))
    }

    /// The cursor of the next page. It keeps the times that this page was asked with: as the clock
    /// moves on, the pages still belong together.
    pub fn next_cursor(&self, index: &str) -> String {
        let (from, before) = self.available;
        format!(
            "4.{}.{}.{}.{}.{}",
            from.as_millisecond(),
            before.as_millisecond(),
            self.fingerprint(),
            u8::from(self.typos),
            hex(index.as_bytes())
        )
    }
}

/// Kilometres, to the metre.
pub fn distance_km(distance_m: f64) -> f64 {
    distance_m.round() / 1_000.0
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
        } else if words.len() > WORDS_BYTES_MAX {
            self.error("q", format!("must have {WORDS_BYTES_MAX} bytes at most"));
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
        let radius_km = self.number("radius_km", RADIUS_KM_MIN, RADIUS_KM_MAX);
        let specialties = self.specialties();
        Some(Around {
            lat: lat?,
            lon: lon?,
            radius_km: radius_km?,
            specialties: specialties?,
        })
    }

    fn specialties(&mut self) -> Option<Vec<Specialty>> {
        let text = self.required("specialty")?;
        let complaint = "is not one of those at /v1/specialties";
        self.list(
            "specialty",
            text,
            SPECIALTIES_MAX,
            complaint,
            Specialty::parse,
        )
    }

    /// Wrong ones are none: the search is refused all the same.
    fn languages(&mut self) -> Vec<Language> {
        let Some(text) = self.get("language") else {
            return Vec::new();
        };
        let complaint = "is no language, like de (BCP 47)";
        self.list("language", text, LANGUAGES_MAX, complaint, Language::parse)
            .unwrap_or_default()
    }

    /// With commas between. In one order and each once, so that the cursor does not depend on how they
    /// were written.
    fn list<T: Ord>(
        &mut self,
        name: &str,
        text: &str,
        items_max: usize,
        complaint: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim) {
            let Some(parsed) = parse(item) else {
                self.error(name, format!("{item:?} {complaint}"));
                return None;
            };
            items.push(parsed);
        }
        items.sort_unstable();
        items.dedup();
        if items.len() > items_max {
            self.error(name, format!("must name {items_max} at most"));
            return None;
        }
        Some(items)
    }

    fn telehealth(&mut self) -> bool {
        match self.get("telehealth") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.error("telehealth", "must be true or false");
                false
            }
        }
    }

    fn order(&mut self) -> Order {
        match self.get("order") {
            None | Some("best") => Order::Best,
            Some("soonest") => Order::Soonest,
            Some("nearest") => {
                if self.get("lat").is_none() && self.get("lon").is_none() {
                    self.error("order", "nearest needs a place: lat and lon");
                }
                Order::Nearest
            }
            Some(_) => {
                self.error("order", "must be best, nearest or soonest");
                Order::Best
            }
        }
    }

    fn facets(&mut self) -> Facets {
        let mut facets = Facets::default();
        let mut counts_days = false;
        for name in self
            .get("facets")
            .into_iter()
            .flat_map(|all| all.split(','))
        {
            match name.trim() {
                "specialty" => facets.specialty = true,
                "day" => counts_days = true,
                _ => {
                    self.error("facets", "must be specialty, day, or both with a comma");
                    return Facets::default();
                }
            }
        }
        let zone = self.get("time_zone").map(Zone::parse);
        match (zone, counts_days) {
            (None, false) => {}
            (None, true) => facets.day = Some(Zone::utc()),
            (Some(Ok(zone)), true) => facets.day = Some(zone),
            (Some(Ok(_)), false) => self.error("time_zone", "goes with facets=day only"),
            (Some(Err(_)), _) => {
                self.error("time_zone", "must be an IANA time zone, like Europe/Berlin");
            }
        }
        facets
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
