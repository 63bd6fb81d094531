//! What is free: days, their masks, their slots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use crate::mask::Mask;
use crate::schedule::Schedule;
use crate::slot::Slot;
use crate::terms::Terms;
use crate::zone::Zone;

/// How many local dates can be asked for at once.
pub const RANGE_DAYS_MAX: i32 = 62;

/// The years of what people name: later and earlier ones are mistakes, and not every store has them.
pub const YEARS: RangeInclusive<i16> = 1900..=2200;

/// How many slots are proposed in place of one that is taken.
pub const ALTERNATIVES_MAX: usize = 3;

/// A date as people write it: `2026-11-23`, within `YEARS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedDate(pub Date);

/// An instant within `YEARS`, from its seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedInstant(pub Timestamp);

/// An instant within `YEARS`, as people write it: `2026-11-23T09:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedStart(pub Timestamp);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form, or not of the years from {} to {}", YEARS.start(), YEARS.end())]
pub struct NotNamed;

impl FromStr for NamedDate {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let date: Date = text.parse().map_err(|_| NotNamed)?;
        // jiff would also read a date with a time behind it.
        if text.len() == "2026-11-23".len() && YEARS.contains(&date.year()) {
            Ok(Self(date))
        } else {
            Err(NotNamed)
        }
    }
}

impl FromStr for NamedInstant {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let seconds = text.parse().map_err(|_| NotNamed)?;
        let instant = Timestamp::from_second(seconds).map_err(|_| NotNamed)?;
        within_years(instant).map(Self)
    }
}

impl FromStr for NamedStart {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        within_years(text.parse().map_err(|_| NotNamed)?).map(Self)
    }
}

fn within_years(instant: Timestamp) -> Result<Timestamp, NotNamed> {
    if YEARS.contains(&Zone::utc().date(instant).year()) {
        Ok(instant)
    } else {
        Err(NotNamed)
    }
}

/// One local date of a practitioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    /// The schedule's hours.
    pub open: Mask,
    /// The hours that a booking holds.
    pub booked: Mask,
}

impl Day {
    /// The hours that can be booked at `now`.
    pub fn free(&self, zone: &Zone, terms: Terms, now: Timestamp) -> Mask {
        let slots = self.slots(zone, terms, now);
        slots.iter().map(Slot::hour).collect()
    }

    /// The slots that can be booked at `now`, in order.
    pub fn slots(&self, zone: &Zone, terms: Terms, now: Timestamp) -> Vec<Slot> {
        let (first, last) = terms.dates(zone, now);
        if self.date < first || self.date > last {
            return Vec::new();
        }
        (self.open & !self.booked)
            .hours()
            .filter_map(|hour| Slot::at(self.date, hour, zone))
            .filter(|slot| !terms.is_too_soon(slot.start(), now))
            .collect()
    }
}

/// The dates of a range, both ends included.
pub fn dates(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(1.day()).take_while(move |date| *date <= to)
}

/// The days of a range, from the schedule and from what is booked by date.
pub fn days(schedule: &Schedule, booked: &BTreeMap<Date, Mask>, from: Date, to: Date) -> Vec<Day> {
    each_day(schedule, booked, from, to).collect()
}

/// As `days`, each made as it is asked for: in a year of them the first may do.
pub fn each_day(
    schedule: &Schedule,
    booked: &BTreeMap<Date, Mask>,
    from: Date,
    to: Date,
) -> impl Iterator<Item = Day> {
    dates(from, to).map(|date| Day {
        date,
        open: schedule.open(date),
        booked: booked.get(&date).copied().unwrap_or_default(),
    })
}

/// The next slots that can be booked, in order, `limit` at most.
pub fn next_free(
    days: impl Iterator<Item = Day>,
    zone: &Zone,
    terms: Terms,
    now: Timestamp,
    limit: usize,
) -> Vec<Slot> {
    days.flat_map(|day| day.slots(zone, terms, now))
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_every_store_can_keep_is_a_date() {
        let named = |text: &str| text.parse().map(|NamedDate(date)| date);
        assert_eq!(named("2026-11-23"), Ok(date(2026, 11, 23)));
        for text in [
            "0000-12-24",
            "1899-12-31",
            "2201-01-01",
            "-009999-01-01",
            "2026-02-30",
            "2026-11-23T09:00",
        ] {
            assert_eq!(named(text), Err(NotNamed), "{text}");
        }
    }

    #[test]
    fn only_what_every_store_can_keep_is_an_instant() {
        let named = |text: &str| text.parse().map(|NamedInstant(instant)| instant);
        assert_eq!(named("1795420800"), Ok(at("2026-11-23T08:00:00Z")));
        for text in ["-377705023201", "253402207200", "9223372036854775807", "x"] {
            assert_eq!(named(text), Err(NotNamed), "{text}");
        }
    }

    #[test]
    fn an_instant_may_be_written_as_people_do() {
        let named = |text: &str| text.parse().map(|NamedStart(instant)| instant);
        let expected = at("2026-11-23T08:00:00Z");
        assert_eq!(named("2026-11-23T09:00:00+01:00"), Ok(expected));
        for text in ["2026-11-23", "1899-12-31T00:00:00Z", "9999-01-01T00:00:00Z"] {
            assert_eq!(named(text), Err(NotNamed), "{text}");
        }
    }

    #[test]
    fn a_slot_that_has_begun_is_not_free() {
        let day = Day {
            date: date(2026, 11, 23),
            open: [9, 10].into_iter().collect(),
            booked: Mask::NONE,
        };
        let free = |now| day.free(&berlin(), Terms::default(), at(now));
        assert_eq!(free("2026-11-23T08:00:00Z"), Mask::hour(10));
        assert_eq!(free("2026-11-23T09:00:00Z"), Mask::NONE);
    }

    #[test]
    fn a_slot_within_the_lead_time_is_not_free() {
        let day = Day {
            date: date(2026, 11, 23),
            open: [9, 10].into_iter().collect(),
            booked: Mask::NONE,
        };
        let day_before = Terms::new(24 * 60, 62).unwrap();
        let free = |now| day.free(&berlin(), day_before, at(now));
        assert_eq!(free("2026-11-22T07:59:59Z"), day.open);
        assert_eq!(free("2026-11-22T08:00:00Z"), Mask::hour(10));
    }

    #[test]
    fn nothing_is_free_beyond_the_horizon() {
        let now = at("2026-11-23T08:00:00Z");
        for horizon_days in [1, 62, 365] {
            let terms = Terms::new(0, horizon_days).unwrap();
            let (_, last) = terms.dates(&berlin(), now);
            let free = |date| {
                let (open, booked) = (Mask::hour(23), Mask::NONE);
                let day = Day { date, open, booked };
                day.free(&berlin(), terms, now)
            };
            assert_eq!(free(last), Mask::hour(23), "{horizon_days} days");
            assert!(free(last.tomorrow().unwrap()).is_empty());
        }
    }

    #[test]
    fn the_next_free_slot_skips_what_is_booked() {
        let days: Vec<Day> = dates(date(2026, 11, 23), date(2026, 11, 24))
            .map(|date| Day {
                date,
                open: [9, 10].into_iter().collect(),
                booked: Mask::hour(9),
            })
            .collect();
        let free = next_free(
            days.into_iter(),
            &berlin(),
            Terms::default(),
            at("2026-11-22T12:00:00Z"),
            3,
        );
        let starts: Vec<_> = free.iter().map(|slot| slot.start().to_string()).collect();
        assert_eq!(starts, ["2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"]);
    }
}
