//! The hash of days: every bit of every date that is loaded.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Difference, NOTHING, Verdict, shown};
use crate::bitmap;
use crate::calendar::Day;
use crate::mask::Mask;
use crate::terms::Terms;

/// What the hash holds, as it was read with one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hash {
    pub version: Option<String>,
    pub zone: Option<String>,
    pub terms: Option<String>,
    /// The dates that were asked for.
    pub days: Vec<(Date, Option<String>)>,
}

/// What the database says, read after the hash.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    pub version: i64,
    pub active: bool,
    pub zone: &'a str,
    pub terms: Terms,
    pub days: &'a [Day],
    /// Hours of holds that have run out and may not be marked yet: they count for nothing, but the
    /// hash may have them until their event comes.
    pub lapsed: &'a BTreeMap<Date, Mask>,
}

/// A date that is missing is not loaded, which is fine.
pub fn compare(hash: &Hash, truth: &Truth) -> Verdict {
    let Some(version) = &hash.version else {
        let is_loaded = hash.zone.is_some() || hash.days.iter().any(|(_, day)| day.is_some());
        return match is_loaded {
            true => Verdict::differs(Difference::new("version", truth.version, NOTHING)),
            false => Verdict::Same,
        };
    };
    let of_version = || Difference::new("version", truth.version, version);
    match version.parse::<i64>() {
        Err(_) => return Verdict::differs(of_version()),
        Ok(held) if held > truth.version => return Verdict::differs(of_version()),
        Ok(held) if held < truth.version => return Verdict::Behind(of_version()),
        Ok(_) => {}
    }
    let zone = if truth.active { truth.zone } else { "" };
    let mut differences = Vec::new();
    if hash.zone.as_deref() != Some(zone) {
        differences.push(Difference::new("zone", zone, shown(hash.zone.as_ref())));
    }
    // Of somebody who is not active nothing is answered from here.
    if truth.active {
        let terms = bitmap::encode_terms(truth.terms);
        if hash.terms.as_ref() != Some(&terms) {
            differences.push(Difference::new("terms", terms, shown(hash.terms.as_ref())));
        }
        let loaded = hash
            .days
            .iter()
            .filter_map(|(date, day)| Some((*date, day.as_deref()?)));
        differences.extend(loaded.filter_map(|(date, held)| of_day(date, held, truth)));
    }
    Verdict::of(differences, None)
}

fn of_day(date: Date, held: &str, truth: &Truth) -> Option<Difference> {
    let expected = truth.days.iter().find(|day| day.date == date)?;
    let lapsed = truth.lapsed.get(&date).copied().unwrap_or_default();
    let is_same = bitmap::decode_versioned(date, held).is_some_and(|(version, day)| {
        version <= truth.version
            && day.open == expected.open
            && day.booked & !lapsed == expected.booked & !lapsed
    });
    let what = || {
        Difference::new(
            bitmap::field(date),
            bitmap::encode(expected, truth.version),
            held,
        )
    };
    (!is_same).then(what)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn day(hour: u8) -> Day {
        Day {
            date: date(2026, 11, 23),
            open: [9, 10, 11].into_iter().collect(),
            booked: Mask::hour(hour),
        }
    }

    fn hash(version: &str, zone: &str, held: &str) -> Hash {
        Hash {
            version: Some(version.into()),
            zone: Some(zone.into()),
            terms: Some("0,62".into()),
            days: vec![
                (date(2026, 11, 23), Some(held.into())),
                (date(2026, 11, 24), None),
            ],
        }
    }

    fn against(hash: &Hash, active: bool, lapsed: &[u8]) -> Verdict {
        let lapsed: Mask = lapsed.iter().copied().collect();
        let truth = Truth {
            version: 7,
            active,
            zone: "Europe/Berlin",
            terms: Terms::default(),
            days: &[day(9)],
            lapsed: &BTreeMap::from([(date(2026, 11, 23), lapsed)]),
        };
        compare(hash, &truth)
    }

    fn named(verdict: Verdict) -> Vec<String> {
        match verdict {
            Verdict::Differs(differences) => differences.into_iter().map(|one| one.what).collect(),
            Verdict::Same | Verdict::Behind(_) => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn a_hash_that_says_the_same_is_the_same() {
        for held in ["7,3584,512", "3,3584,512"] {
            let verdict = against(&hash("7", "Europe/Berlin", held), true, &[]);
            assert_eq!(verdict, Verdict::Same, "{held}");
        }
        assert_eq!(against(&Hash::default(), true, &[]), Verdict::Same);
    }

    #[test]
    fn every_wrong_part_of_a_day_is_named() {
        for held in [
            "7,3584,1536",
            "7,3584,0",
            "7,1536,512",
            // Of a version that is still to come.
            "8,3584,512",
            "7,3584",
            "x",
        ] {
            let verdict = against(&hash("7", "Europe/Berlin", held), true, &[]);
            let expected = Difference::new("2026-11-23", "7,3584,512", held);
            assert_eq!(verdict, Verdict::Differs(vec![expected]), "{held}");
        }
    }

    #[test]
    fn only_what_is_of_one_version_is_held_against_the_other() {
        let verdict = against(&hash("6", "Europe/Berlin", "6,3584,0"), true, &[]);
        let behind = Difference::new("version", 7, 6);
        assert_eq!(verdict, Verdict::Behind(behind.clone()));
        assert_eq!(verdict.standing().as_deref(), Some("version 6"));
        assert_eq!(verdict.overdue(), Verdict::Differs(vec![behind]));
        for version in ["8", "x", ""] {
            let verdict = against(&hash(version, "Europe/Berlin", "6,3584,512"), true, &[]);
            assert_eq!(named(verdict), ["version"], "{version:?}");
        }
    }

    #[test]
    fn a_hold_that_ran_out_may_be_there_or_not() {
        // 10 o'clock.
        for held in ["7,3584,512", "7,3584,1536"] {
            let verdict = against(&hash("7", "Europe/Berlin", held), true, &[10]);
            assert_eq!(verdict, Verdict::Same, "{held}");
        }
        let other = against(&hash("7", "Europe/Berlin", "7,3584,1536"), true, &[11]);
        assert_eq!(named(other), ["2026-11-23"]);
    }

    #[test]
    fn a_zone_says_whether_somebody_is_active() {
        let gone = hash("7", "", "7,3584,0");
        assert_eq!(against(&gone, false, &[]), Verdict::Same);
        assert_eq!(named(against(&gone, true, &[])), ["zone", "2026-11-23"]);
        let here = hash("7", "Europe/Berlin", "7,3584,512");
        assert_eq!(named(against(&here, false, &[])), ["zone"]);
    }

    #[test]
    fn wrong_terms_are_named() {
        for terms in [None, Some("60,62"), Some("")] {
            let hash = Hash {
                terms: terms.map(Into::into),
                ..hash("7", "Europe/Berlin", "7,3584,512")
            };
            assert_eq!(named(against(&hash, true, &[])), ["terms"], "{terms:?}");
        }
    }

    #[test]
    fn days_without_a_version_are_a_mistake() {
        let hash = Hash {
            version: None,
            ..hash("7", "Europe/Berlin", "7,3584,512")
        };
        assert_eq!(named(against(&hash, true, &[])), ["version"]);
    }
}
