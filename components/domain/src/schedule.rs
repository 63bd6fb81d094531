//! When a practitioner works: the one place that says which hours of a date are open.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::mask::Mask;
use crate::slot::Slot;
use crate::terms::Terms;
use crate::zone::Zone;

mod span;

pub use span::{Backwards, Span, Spans};

pub const DAYS_PER_WEEK: usize = 7;

/// The hours of each weekday, Monday first.
pub type Week = [Mask; DAYS_PER_WEEK];

/// Weekly hours, and what holds in their place. The most particular wins: leave, then the hours of the
/// date, then the holiday, then the week that is valid then, then the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub zone: Zone,
    pub week: Week,
    /// Weeks of a time of their own, which do not overlap; by when they begin.
    pub periods: Vec<Period>,
    /// Dates on which nobody works, unless an exception says otherwise.
    pub holidays: BTreeSet<Date>,
    /// Instead of the weekly hours; an empty mask is a closed day.
    pub exceptions: BTreeMap<Date, Mask>,
    /// Dates on which nothing is offered, whatever else is said.
    pub leave: Spans,
    pub terms: Terms,
}

/// Weekly hours that hold for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub valid_from: Date,
    /// Inclusive. None: from then on.
    pub valid_until: Option<Date>,
    pub week: Week,
}

/// What takes an hour away that the weekly hours have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closure {
    Leave,
    Exception,
    Holiday,
}

impl Schedule {
    /// A week, and nothing else.
    pub fn of_week(zone: Zone, week: Week) -> Self {
        Self {
            zone,
            week,
            periods: Vec::new(),
            holidays: BTreeSet::new(),
            exceptions: BTreeMap::new(),
            leave: Spans::default(),
            terms: Terms::default(),
        }
    }

    /// The hours that can be booked on a date, if nobody has booked yet, and as far as the clock
    /// allows it (`terms`).
    pub fn open(&self, date: Date) -> Mask {
        // Only of those: a zone is asked for each.
        let said = self.said(date).hours();
        said.filter(|hour| exists(date, *hour, &self.zone))
            .collect()
    }

    /// What closes an hour that the week of its date has.
    pub fn closure(&self, date: Date, hour: u8) -> Option<Closure> {
        if self.open(date).contains(hour) || !self.weekly(date).contains(hour) {
            None
        } else if self.leave.contains(date) {
            Some(Closure::Leave)
        } else if self.exceptions.contains_key(&date) {
            Some(Closure::Exception)
        } else if self.holidays.contains(&date) {
            Some(Closure::Holiday)
        } else {
            None
        }
    }

    /// The hours of the weekday, by the week that is valid then; whatever else holds on the date.
    fn weekly(&self, date: Date) -> Mask {
        let period = self.periods.iter().find(|period| period.holds_on(date));
        period.map_or(&self.week, |period| &period.week)[monday_first(date)]
    }

    fn said(&self, date: Date) -> Mask {
        if self.leave.contains(date) {
            return Mask::NONE;
        }
        if let Some(hours) = self.exceptions.get(&date) {
            return *hours;
        }
        if self.holidays.contains(&date) {
            return Mask::NONE;
        }
        self.weekly(date)
    }
}

impl Period {
    pub fn holds_on(&self, date: Date) -> bool {
        self.valid_from <= date && self.valid_until.is_none_or(|until| date <= until)
    }
}

/// A week as the database has it: seven masks, Monday first.
pub fn week_from_bits(bits: &[i32]) -> Option<Week> {
    let masks: Vec<Mask> = bits
        .iter()
        .map(|bits| u32::try_from(*bits).ok().and_then(Mask::from_bits))
        .collect::<Option<_>>()?;
    masks.try_into().ok()
}

fn monday_first(date: Date) -> usize {
    usize::try_from(date.weekday().to_monday_zero_offset()).expect("an offset is 0 to 6")
}

/// Daylight saving skips hours.
fn exists(date: Date, hour: u8, zone: &Zone) -> bool {
    Slot::at(date, hour, zone).is_some()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn berlin() -> Schedule {
        Schedule {
            exceptions: BTreeMap::from([(date(2026, 12, 24), Mask::NONE)]),
            ..Schedule::of_week(
                Zone::parse("Europe/Berlin").unwrap(),
                [Mask::ALL; DAYS_PER_WEEK],
            )
        }
    }

    #[test]
    fn an_exception_replaces_the_weekly_hours() {
        assert_eq!(berlin().open(date(2026, 12, 24)), Mask::NONE);
        assert_eq!(berlin().open(date(2026, 12, 23)), Mask::ALL);
    }

    #[test]
    fn the_hour_that_daylight_saving_skips_is_not_open() {
        assert_eq!(berlin().open(date(2026, 3, 29)), Mask::ALL.without(2));
        // It is not closed by anything either.
        assert_eq!(berlin().closure(date(2026, 3, 29), 2), None);
    }

    #[test]
    fn the_week_starts_on_monday() {
        let mut schedule = berlin();
        schedule.week = [Mask::NONE; DAYS_PER_WEEK];
        schedule.week[0] = Mask::hour(9);
        assert_eq!(schedule.open(date(2026, 11, 23)), Mask::hour(9));
        assert_eq!(schedule.open(date(2026, 11, 22)), Mask::NONE);
    }

    #[test]
    fn a_week_holds_from_its_first_day_to_its_last() {
        let period = |from, until, hour| Period {
            valid_from: from,
            valid_until: until,
            week: [Mask::hour(hour); DAYS_PER_WEEK],
        };
        let mut schedule = berlin();
        schedule.periods = vec![
            period(date(2027, 1, 4), Some(date(2027, 1, 5)), 10),
            period(date(2027, 2, 1), None, 11),
        ];
        for (date, open) in [
            (date(2027, 1, 3), Mask::ALL),
            (date(2027, 1, 4), Mask::hour(10)),
            (date(2027, 1, 5), Mask::hour(10)),
            (date(2027, 1, 6), Mask::ALL),
            (date(2027, 1, 31), Mask::ALL),
            (date(2027, 2, 1), Mask::hour(11)),
            (date(2099, 2, 1), Mask::hour(11)),
        ] {
            assert_eq!(schedule.open(date), open, "{date}");
        }
    }

    #[test]
    fn the_most_particular_wins() {
        let day = date(2026, 12, 25);
        let mut schedule = berlin();
        schedule.holidays = BTreeSet::from([day]);
        assert_eq!(schedule.open(day), Mask::NONE);
        assert_eq!(schedule.closure(day, 9), Some(Closure::Holiday));
        schedule.exceptions.insert(day, Mask::hour(9));
        assert_eq!(schedule.open(day), Mask::hour(9));
        assert_eq!(schedule.closure(day, 9), None);
        assert_eq!(schedule.closure(day, 10), Some(Closure::Exception));
        let leave = Span::new(date(2026, 12, 20), date(2027, 1, 2)).unwrap();
        schedule.leave = Spans::of([leave]);
        assert_eq!(schedule.open(day), Mask::NONE);
        assert_eq!(schedule.closure(day, 9), Some(Closure::Leave));
        assert_eq!(schedule.open(date(2027, 1, 2)), Mask::NONE);
        assert_eq!(schedule.open(date(2027, 1, 3)), Mask::ALL);
    }
}
