//! When a practitioner works.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::mask::{HOURS_PER_DAY, Mask};
use crate::slot::Slot;
use crate::zone::Zone;

pub const DAYS_PER_WEEK: usize = 7;

/// Weekly hours, and the dates on which others hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub zone: Zone,
    /// Monday first.
    pub week: [Mask; DAYS_PER_WEEK],
    /// Instead of the weekly hours; an empty mask is a closed day.
    pub exceptions: BTreeMap<Date, Mask>,
}

impl Schedule {
    /// The hours that can be booked on a date, if nobody has booked yet.
    pub fn open(&self, date: Date) -> Mask {
        let exception = self.exceptions.get(&date).copied();
        exception.unwrap_or_else(|| self.weekly(date)) & existing(date, &self.zone)
    }

    /// The hours of the weekday, whatever holds on the date.
    pub fn weekly(&self, date: Date) -> Mask {
        self.week[monday_first(date)]
    }
}

/// A week as the database has it: seven masks, Monday first.
pub fn week_from_bits(bits: &[i32]) -> Option<[Mask; DAYS_PER_WEEK]> {
    let masks: Vec<Mask> = bits
        .iter()
        .map(|bits| u32::try_from(*bits).ok().and_then(Mask::from_bits))
        .collect::<Option<_>>()?;
    masks.try_into().ok()
}

fn monday_first(date: Date) -> usize {
    usize::try_from(date.weekday().to_monday_zero_offset()).expect("an offset is 0 to 6")
}

/// The hours that a date has: all but those that daylight saving skips.
fn existing(date: Date, zone: &Zone) -> Mask {
    (0..HOURS_PER_DAY)
        .filter(|hour| Slot::at(date, *hour, zone).is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn berlin() -> Schedule {
        Schedule {
            zone: Zone::parse("Europe/Berlin").unwrap(),
            week: [Mask::ALL; DAYS_PER_WEEK],
            exceptions: BTreeMap::from([(date(2026, 12, 24), Mask::NONE)]),
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
    }

    #[test]
    fn the_week_starts_on_monday() {
        let mut schedule = berlin();
        schedule.week = [Mask::NONE; DAYS_PER_WEEK];
        schedule.week[0] = Mask::hour(9);
        assert_eq!(schedule.open(date(2026, 11, 23)), Mask::hour(9));
        assert_eq!(schedule.open(date(2026, 11, 22)), Mask::NONE);
    }
}
