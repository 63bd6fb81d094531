//! What a search for practitioners asks.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::FieldError;
use crate::practitioner::{Language, Specialty};
use crate::zone::Zone;

mod cursor;
mod days;
mod query;

pub use cursor::{AGE_HOURS_MAX, AHEAD_MINUTES_MAX};
use cursor::{Cursor, hex};
pub use days::{DAYS_MAX, Days};
use query::Query;

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
        let mut query = Query::new(get);
        let words = query.words();
        let around = query.around(words.is_some());
        let languages = query.languages();
        let telehealth = query.telehealth();
        let available = query.available(now);
        let order = query.order();
        let facets = query.facets();
        let limit = query.limit();
        let cursor = query.cursor();
        query.finish()?;
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
            Some(cursor) => search.behind(cursor, now),
            None => Ok(search),
        }
    }

    /// The page behind a cursor, which is text of the client's: each of its fields is looked at.
    fn behind(self, text: &str, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let refused = |detail: &str| vec![FieldError::new("/query/cursor", detail)];
        let cursor = Cursor::parse(text).ok_or_else(|| refused(cursor::NONE_OF_OURS))?;
        cursor.check_age(now).map_err(refused)?;
        if cursor.asked != self.fingerprint() {
            return Err(refused("is of another search: ask as for the page before"));
        }
        let next = Self {
            available: cursor.available,
            typos: cursor.typos,
            index_cursor: Some(cursor.index.clone()),
            ..self
        };
        // As it was told, to the letter; and typos are overlooked in words only.
        let is_ours = next.next_cursor(&cursor.index) == text;
        match is_ours && (next.words.is_some() || !next.typos) {
            true => Ok(next),
            false => Err(refused(cursor::NONE_OF_OURS)),
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
