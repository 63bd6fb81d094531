//! The parameters of a search, read one by one: every one that is wrong is named.

use jiff::{SignedDuration, Timestamp};

use super::{
    Around, Facets, LANGUAGES_MAX, LIMIT_DEFAULT, LIMIT_MAX, Order, RADIUS_KM_MAX, RADIUS_KM_MIN,
    SPECIALTIES_MAX, WORDS_BYTES_MAX, WORDS_CHARS_MAX,
};
use crate::FieldError;
use crate::practitioner::{Language, Specialty};
use crate::zone::Zone;

/// Who is free within this time is found, if the caller does not say.
const AVAILABLE_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The parameters and what is wrong with them.
pub struct Query<F> {
    get: F,
    errors: Vec<FieldError>,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Query<F> {
    /// `get` finds a parameter by its name, decoded.
    pub fn new(get: F) -> Self {
        Self {
            get,
            errors: Vec::new(),
        }
    }

    /// Whether all was well.
    pub fn finish(self) -> Result<(), Vec<FieldError>> {
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(self.errors),
        }
    }

    fn error(&mut self, name: &str, detail: impl Into<String>) {
        self.errors
            .push(FieldError::new(format!("/query/{name}"), detail));
    }

    /// An empty parameter is the same as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        let value = (self.get)(name)?.trim();
        Some(value).filter(|value| !value.is_empty())
    }

    pub fn words(&mut self) -> Option<String> {
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

    pub fn around(&mut self, has_words: bool) -> Option<Around> {
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
    pub fn languages(&mut self) -> Vec<Language> {
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

    pub fn telehealth(&mut self) -> bool {
        match self.get("telehealth") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.error("telehealth", "must be true or false");
                false
            }
        }
    }

    pub fn order(&mut self) -> Order {
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

    pub fn facets(&mut self) -> Facets {
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

    pub fn available(&mut self, now: Timestamp) -> (Timestamp, Timestamp) {
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

    pub fn limit(&mut self) -> u32 {
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

    /// As it is: whether it is any good depends on the search.
    pub fn cursor(&self) -> Option<&'a str> {
        self.get("cursor")
    }
}
