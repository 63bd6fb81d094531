//! How a practitioner's days stand in the cache: one hash a practitioner, one field a local date.
//!
//! A field that is missing means "not loaded", never "free" and never "taken".

use jiff::civil::Date;
use uuid::Uuid;

use crate::calendar::Day;
use crate::mask::Mask;
use crate::terms::Terms;

/// The field that holds the stream version up to which the hash is right.
pub const VERSION: &str = "v";
/// The field that holds the IANA zone; empty: the practitioner is not active.
pub const ZONE: &str = "zone";

/// The field that holds how soon and how far ahead the practitioner can be booked.
pub const TERMS: &str = "terms";

/// The generation that the hashes begin with.
pub const GENERATION_FIRST: u64 = 1;

/// The key of the hash in the first generation.
pub fn key(prefix: &str, practitioner: Uuid) -> String {
    format!("{prefix}:{{{practitioner}}}:days")
}

/// The key of the hash in any generation.
pub fn key_of(prefix: &str, practitioner: Uuid, generation: u64) -> String {
    let first = key(prefix, practitioner);
    match generation {
        GENERATION_FIRST => first,
        later => format!("{first}:{later}"),
    }
}

/// The key of the hash that says which generations there are: `current`, and perhaps `beside` with its
/// `role`. Nothing: the first one answers.
pub fn generations_key(prefix: &str) -> String {
    format!("{prefix}:generations")
}

/// The key of the turn to load a practitioner.
pub fn claim_key(prefix: &str, practitioner: Uuid) -> String {
    format!("{prefix}:{{{practitioner}}}:loading")
}

/// The field of a date: `2026-11-23`.
pub fn field(date: Date) -> String {
    date.to_string()
}

/// A field's value: `version,open,booked`.
pub fn encode(day: &Day, version: i64) -> String {
    format!("{version},{},{}", day.open.bits(), day.booked.bits())
}

/// The terms' value: `lead_minutes,horizon_days`.
pub fn encode_terms(terms: Terms) -> String {
    format!("{},{}", terms.lead_minutes(), terms.horizon_days())
}

/// None where the value is not one of ours: nothing counts as loaded.
pub fn decode_terms(value: &str) -> Option<Terms> {
    let (lead_minutes, horizon_days) = value.split_once(',')?;
    Terms::new(lead_minutes.parse().ok()?, horizon_days.parse().ok()?).ok()
}

/// None where the value is not one of ours: the date counts as not loaded.
pub fn decode(date: Date, value: &str) -> Option<Day> {
    decode_versioned(date, value).map(|(_, day)| day)
}

/// As `decode`, with the version that the date was written at.
pub fn decode_versioned(date: Date, value: &str) -> Option<(i64, Day)> {
    let mut parts = value.split(',');
    let version = parts.next()?.parse().ok()?;
    let open = Mask::from_bits(parts.next()?.parse().ok()?)?;
    let booked = Mask::from_bits(parts.next()?.parse().ok()?)?;
    let day = Day { date, open, booked };
    parts.next().is_none().then_some((version, day))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_round_trips() {
        let day = Day {
            date: date(2026, 11, 23),
            open: Mask::ALL,
            booked: Mask::hour(9),
        };
        assert_eq!(encode(&day, 7), "7,16777215,512");
        assert_eq!(decode(day.date, "7,16777215,512"), Some(day));
    }

    #[test]
    fn terms_round_trip() {
        let terms = Terms::new(120, 365).unwrap();
        assert_eq!(encode_terms(terms), "120,365");
        assert_eq!(decode_terms("120,365"), Some(terms));
        for value in ["", "120", "120,366", "-1,62", "1,2,3"] {
            assert_eq!(decode_terms(value), None, "{value:?}");
        }
    }

    #[test]
    fn what_is_not_a_day_is_not_loaded() {
        for value in ["", "7", "7,1", "7,1,2,3", "7,16777216,0", "x,1,2"] {
            assert_eq!(decode(date(2026, 11, 23), value), None, "{value:?}");
        }
    }
}
