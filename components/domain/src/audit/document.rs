//! The document of a practitioner, which has two sources: the profile, and the next free slot.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::{Difference, NOTHING, Verdict, shown};

/// The field that is of the second source; all others are of the first.
pub const NEXT_SLOT: &str = "next_available_slot";

/// Two numbers are one if they agree to this: one of them was written down and read again.
const NUMBERS_AGREE_TO: f64 = 1e-9;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(f64),
    Place { lat: f64, lon: f64 },
    Flag(bool),
    Instant(Timestamp),
}

/// Of each source, the version and the values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub profile_version: Option<u64>,
    pub next_slot_version: Option<u64>,
    /// By field; what has no value is not there.
    pub values: BTreeMap<String, Value>,
}

/// `held` was read before `truth`.
pub fn compare(held: Option<&Document>, truth: Option<&Document>) -> Verdict {
    let (held, truth) = match (held, truth) {
        (None, None) => return Verdict::Same,
        // It may have been made just now.
        (None, Some(_)) => {
            return Verdict::Behind(Difference::new("document", "a document", NOTHING));
        }
        (Some(_), None) => {
            return Verdict::differs(Difference::new("document", NOTHING, "a document"));
        }
        (Some(held), Some(truth)) => (held, truth),
    };
    let mut differences = Vec::new();
    let mut behind = None;
    let sources = [
        (
            "profile version",
            held.profile_version,
            truth.profile_version,
            false,
        ),
        (
            "next slot's version",
            held.next_slot_version,
            truth.next_slot_version,
            true,
        ),
    ];
    for (what, of_held, of_truth, is_next_slot) in sources {
        if of_held == of_truth {
            let fields = held.values.keys().chain(truth.values.keys());
            let fields = fields.filter(|field| (*field == NEXT_SLOT) == is_next_slot);
            differences.extend(fields.filter_map(|field| of_field(field, held, truth)));
            continue;
        }
        let difference = Difference::new(what, shown(of_truth), shown(of_held));
        // Nothing is less than any version.
        if of_held > of_truth {
            differences.push(difference);
        } else {
            behind = behind.or(Some(difference));
        }
    }
    differences.sort_by(|a, b| a.what.cmp(&b.what));
    // A field that both have was compared for each.
    differences.dedup();
    Verdict::of(differences, behind)
}

fn of_field(field: &str, held: &Document, truth: &Document) -> Option<Difference> {
    let (held, truth) = (held.values.get(field), truth.values.get(field));
    let is_same = match (held, truth) {
        (Some(held), Some(truth)) => held.is(truth),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    (!is_same).then(|| Difference::new(field, shown(truth), shown(held)))
}

impl Value {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => agree(*a, *b),
            (
                Self::Place { lat, lon },
                Self::Place {
                    lat: b_lat,
                    lon: b_lon,
                },
            ) => agree(*lat, *b_lat) && agree(*lon, *b_lon),
            (
                Self::Text(_)
                | Self::Texts(_)
                | Self::Number(_)
                | Self::Place { .. }
                | Self::Flag(_)
                | Self::Instant(_),
                _,
            ) => self == other,
        }
    }
}

fn agree(a: f64, b: f64) -> bool {
    (a - b).abs() <= NUMBERS_AGREE_TO * a.abs().max(1.0)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Texts(texts) => write!(f, "{texts:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Place { lat, lon } => write!(f, "{lat},{lon}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Instant(instant) => write!(f, "{instant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(profile: u64, next_slot: u64) -> Document {
        let values = [
            ("name", Value::Text("Dr. Weidenbach".into())),
            ("rating", Value::Number(4.7)),
            ("languages", Value::Texts(vec!["de".into(), "tr".into()])),
            (
                "location",
                Value::Place {
                    lat: 52.52,
                    lon: 13.4,
                },
            ),
            ("active", Value::Flag(true)),
            (
                NEXT_SLOT,
                Value::Instant("2026-11-23T08:00:00Z".parse().unwrap()),
            ),
        ];
        Document {
            profile_version: Some(profile),
            next_slot_version: Some(next_slot),
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    fn named(held: &Document, truth: &Document) -> Vec<String> {
        match compare(Some(held), Some(truth)) {
            Verdict::Differs(all) => all.into_iter().map(|one| one.what).collect(),
            verdict => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn every_field_that_is_other_or_missing_or_too_many_is_named() {
        let truth = document(3, 5);
        assert_eq!(compare(Some(&truth), Some(&truth)), Verdict::Same);
        for field in truth.values.keys() {
            let mut held = truth.clone();
            held.values.remove(field);
            assert_eq!(named(&held, &truth), [field.as_str()]);
            assert_eq!(named(&truth, &held), [field.as_str()]);
            held.values.insert(field.clone(), Value::Number(1.0));
            assert_eq!(named(&held, &truth), [field.as_str()]);
        }
    }

    #[test]
    fn numbers_may_lose_their_last_digits_on_the_way() {
        let (mut held, truth) = (document(3, 5), document(3, 5));
        held.values
            .insert("rating".into(), Value::Number(4.7 + 1e-15));
        let place = Value::Place {
            lat: 52.520_000_000_000_01,
            lon: 13.4,
        };
        held.values.insert("location".into(), place);
        assert_eq!(compare(Some(&held), Some(&truth)), Verdict::Same);
        held.values.insert("rating".into(), Value::Number(4.700_1));
        assert_eq!(named(&held, &truth), ["rating"]);
    }

    #[test]
    fn each_source_is_compared_at_its_own_version() {
        let truth = document(3, 5);
        let mut held = document(2, 5);
        held.values.insert("name".into(), Value::Flag(false));
        let behind = Difference::new("profile version", 3, 2);
        assert_eq!(compare(Some(&held), Some(&truth)), Verdict::Behind(behind));
        held.values.remove(NEXT_SLOT);
        // What differs is said, whatever else may be on its way.
        assert_eq!(named(&held, &truth), [NEXT_SLOT]);
        held.next_slot_version = None;
        let verdict = compare(Some(&held), Some(&truth));
        assert!(matches!(verdict, Verdict::Behind(_)), "{verdict:?}");
    }

    #[test]
    fn what_is_ahead_of_the_database_differs_at_once() {
        let truth = document(3, 5);
        assert_eq!(named(&document(4, 5), &truth), ["profile version"]);
        assert_eq!(named(&document(3, 6), &truth), ["next slot's version"]);
        let mut without = truth.clone();
        without.next_slot_version = None;
        assert_eq!(named(&truth, &without), ["next slot's version"]);
    }

    #[test]
    fn a_missing_document_may_be_on_its_way_and_one_of_nobody_is_wrong() {
        let truth = document(3, 5);
        let missing = Difference::new("document", "a document", "nothing");
        assert_eq!(compare(None, Some(&truth)), Verdict::Behind(missing));
        let nobodys = Difference::new("document", "nothing", "a document");
        assert_eq!(compare(Some(&truth), None), Verdict::Differs(vec![nobodys]));
    }
}
