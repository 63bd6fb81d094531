//! The row of the next free slot, which the clock makes stale too.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{Difference, NOTHING, Verdict, shown};
use crate::calendar::Day;
use crate::mask::Mask;
use crate::slot::Slot;
use crate::terms::Terms;
use crate::zone::Zone;

/// Those who have no free slot are looked at again after this time: a date may have come within the
/// horizon.
pub const RECHECK: SignedDuration = SignedDuration::from_hours(2);

/// The clocks of two hosts, and what passes between two statements.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// What the row says, read before the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub next: Option<Timestamp>,
    /// From when on the slot can't be booked any more: the timer goes by it.
    pub closes_at: Option<Timestamp>,
    /// The stream version that it was computed from.
    pub source_version: i64,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    pub version: i64,
    pub active: bool,
    pub zone: &'a Zone,
    pub terms: Terms,
    /// All days that can be booked.
    pub days: &'a [Day],
    /// As for the bitmap.
    pub lapsed: &'a BTreeMap<Date, Mask>,
    pub now: Timestamp,
}

pub fn compare(row: Option<&Row>, truth: &Truth) -> Verdict {
    let Some(row) = row else {
        let missing = Difference::new("row", "a row", NOTHING);
        return match truth.active {
            true => Verdict::Behind(missing),
            false => Verdict::Same,
        };
    };
    let of_version = || Difference::new("source version", truth.version, row.source_version);
    if row.source_version > truth.version {
        return Verdict::differs(of_version());
    }
    if row.source_version < truth.version {
        return Verdict::Behind(of_version());
    }
    let later = truth.now.saturating_add(CLOCKS).unwrap_or(truth.now);
    if [truth.now, later]
        .iter()
        .any(|now| truth.allows(row.next, *now))
    {
        let closes = row.next.map(|next| truth.terms.closes(next));
        return match row.closes_at == closes {
            true => Verdict::Same,
            false => Verdict::differs(Difference::new(
                "when it closes",
                shown(closes),
                shown(row.closes_at),
            )),
        };
    }
    let difference = Difference::new("next slot", shown(truth.first(truth.now)), shown(row.next));
    match row.next {
        // It is too soon by now: the timer comes by.
        Some(next) if truth.terms.is_too_soon(next, later) => Verdict::Behind(difference),
        // A date has come within the horizon since.
        None if truth.is_new_since(row.updated_at) => {
            match truth.now.duration_since(row.updated_at) < RECHECK {
                true => Verdict::Same,
                false => Verdict::Behind(difference),
            }
        }
        Some(_) | None => Verdict::differs(difference),
    }
}

impl Truth<'_> {
    /// With and without the hours of holds that have run out: some of them may have been held when
    /// the row was written.
    fn allows(&self, next: Option<Timestamp>, now: Timestamp) -> bool {
        let first_beside = self
            .slots(now, |date, hour| !self.is_lapsed(date, hour))
            .next();
        let beside = first_beside.map(|slot| slot.start());
        let lapsed = self.slots(now, |date, hour| self.is_lapsed(date, hour));
        let mut before = lapsed
            .map(|slot| slot.start())
            .take_while(|start| beside.is_none_or(|beside| *start < beside));
        next == beside || before.any(|start| Some(start) == next)
    }

    fn first(&self, now: Timestamp) -> Option<Timestamp> {
        self.slots(now, |_, _| true).next().map(|slot| slot.start())
    }

    /// Free slots among these hours.
    fn slots(
        &self,
        now: Timestamp,
        is_one: impl Fn(Date, u8) -> bool,
    ) -> impl Iterator<Item = Slot> {
        let days = self.days.iter().filter(|_| self.active);
        let slots = days.flat_map(move |day| day.slots(self.zone, self.terms, now));
        slots.filter(move |slot| is_one(slot.date(), slot.hour()))
    }

    fn is_lapsed(&self, date: Date, hour: u8) -> bool {
        self.lapsed
            .get(&date)
            .is_some_and(|mask| mask.contains(hour))
    }

    /// Whether nothing of what is free now could be booked then.
    fn is_new_since(&self, then: Timestamp) -> bool {
        let (_, last) = self.terms.dates(self.zone, then);
        let mut slots = self.slots(self.now, |_, _| true);
        slots.all(|slot| slot.date() > last)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use jiff::civil::date;

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Of version 7, updated an hour ago.
    fn row(next: &str) -> Row {
        let next = (!next.is_empty()).then(|| at(next));
        Row {
            next,
            closes_at: next,
            source_version: 7,
            updated_at: at("2026-11-22T11:00:00Z"),
        }
    }

    /// In UTC, on the 23rd: open from 9 to 11, booked and lapsed as said.
    fn against_at(row: Option<&Row>, booked: &[u8], lapsed: &[u8], now: &str) -> Verdict {
        let day = Day {
            date: date(2026, 11, 23),
            open: [9, 10, 11].into_iter().collect(),
            booked: booked.iter().copied().collect(),
        };
        let lapsed = lapsed.iter().copied().collect();
        compare(
            row,
            &Truth {
                version: 7,
                active: true,
                zone: &Zone::utc(),
                terms: Terms::default(),
                days: &[day],
                lapsed: &BTreeMap::from([(day.date, lapsed)]),
                now: at(now),
            },
        )
    }

    fn against(row: &Row, booked: &[u8], lapsed: &[u8]) -> Verdict {
        against_at(Some(row), booked, lapsed, NOW)
    }

    #[test]
    fn the_first_free_slot_is_the_same_and_every_other_differs() {
        let verdict = against(&row("2026-11-23T10:00:00Z"), &[9], &[]);
        assert_eq!(verdict, Verdict::Same);
        for other in ["2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z", ""] {
            let verdict = against(&row(other), &[9], &[]);
            let found = if other.is_empty() { NOTHING } else { other };
            let named = Difference::new("next slot", "2026-11-23T10:00:00Z", found);
            assert_eq!(verdict, Verdict::Differs(vec![named]), "{other}");
        }
        assert_eq!(against(&row(""), &[9, 10, 11], &[]), Verdict::Same);
    }

    #[test]
    fn a_row_that_the_timer_would_not_find_differs() {
        let mut row = row("2026-11-23T10:00:00Z");
        row.closes_at = None;
        let named = Difference::new("when it closes", "2026-11-23T10:00:00Z", NOTHING);
        assert_eq!(against(&row, &[9], &[]), Verdict::Differs(vec![named]));
    }

    #[test]
    fn a_hold_that_ran_out_may_count_or_not() {
        // Both holds have run out; when the row was written, one may still have been held.
        for next in ["09", "10", "11"] {
            let row = row(&format!("2026-11-23T{next}:00:00Z"));
            assert_eq!(against(&row, &[], &[9, 10]), Verdict::Same, "{next}");
        }
        let verdict = against(&row("2026-11-23T10:00:00Z"), &[10], &[9]);
        assert!(matches!(verdict, Verdict::Differs(_)), "{verdict:?}");
        assert_eq!(against(&row(""), &[], &[9, 10, 11]), Verdict::Same);
    }

    #[test]
    fn what_is_of_an_older_version_waits_and_what_is_newer_differs() {
        let of = |source_version| Row {
            source_version,
            ..row("2026-11-23T11:00:00Z")
        };
        let behind = Difference::new("source version", 7, 6);
        assert_eq!(against(&of(6), &[], &[]), Verdict::Behind(behind));
        let ahead = Difference::new("source version", 7, 8);
        assert_eq!(against(&of(8), &[], &[]), Verdict::Differs(vec![ahead]));
        let missing = against_at(None, &[], &[], NOW);
        assert!(matches!(missing, Verdict::Behind(_)), "{missing:?}");
    }

    #[test]
    fn a_slot_that_has_begun_is_left_to_the_timer() {
        let row = row("2026-11-23T09:00:00Z");
        // Not yet, and not a minute later than others think.
        for now in ["2026-11-23T08:58:00Z", "2026-11-23T08:59:30Z"] {
            assert_eq!(
                against_at(Some(&row), &[], &[], now),
                Verdict::Same,
                "{now}"
            );
        }
        let verdict = against_at(Some(&row), &[], &[], "2026-11-23T09:00:30Z");
        assert!(matches!(verdict, Verdict::Behind(_)), "{verdict:?}");
        let early = against_at(
            Some(&self::row("2026-11-23T10:00:00Z")),
            &[],
            &[],
            "2026-11-23T08:59:30Z",
        );
        assert_eq!(early, Verdict::Same);
    }

    #[test]
    fn a_date_that_came_within_the_horizon_is_found_at_the_next_recheck() {
        let (_, last) = Terms::default().dates(&Zone::utc(), at("2026-11-23T00:30:00Z"));
        let day = Day {
            date: last,
            open: Mask::hour(9),
            booked: Mask::NONE,
        };
        let with = |updated_at: &str, now: &str, date: Date| {
            let row = Row {
                updated_at: at(updated_at),
                ..row("")
            };
            compare(
                Some(&row),
                &Truth {
                    version: 7,
                    active: true,
                    zone: &Zone::utc(),
                    terms: Terms::default(),
                    days: &[Day { date, ..day }],
                    lapsed: &BTreeMap::new(),
                    now: at(now),
                },
            )
        };
        let (evening, night) = ("2026-11-22T23:00:00Z", "2026-11-23T00:30:00Z");
        assert_eq!(with(evening, night, last), Verdict::Same);
        let late = with(evening, "2026-11-23T05:01:00Z", last);
        assert!(matches!(late, Verdict::Behind(_)), "{late:?}");
        // The day before could be booked then.
        let wrong = with(evening, night, last.saturating_sub(1.day()));
        assert!(matches!(wrong, Verdict::Differs(_)), "{wrong:?}");
        let wrong = with("2026-11-23T00:10:00Z", night, last);
        assert!(matches!(wrong, Verdict::Differs(_)), "{wrong:?}");
    }
}
