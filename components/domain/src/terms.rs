//! How soon and how far ahead a practitioner can be booked. Both go with the clock: what is open stays
//! open, and whether it can be booked is asked at each moment anew.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::zone::Zone;

/// A lead time of thirty days: more is no lead time any more.
pub const LEAD_MINUTES_MAX: i32 = 30 * MINUTES_PER_DAY;

/// How many local dates can be booked where nothing else is said, today included.
pub const HORIZON_DAYS: i32 = 62;

/// A year: as far ahead as the zones' rules are known to the database at any time.
pub const HORIZON_DAYS_MAX: i32 = 365;

const MINUTES_PER_DAY: i32 = 24 * 60;

/// From when on, and until which date, the open hours of a practitioner can be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    lead_minutes: i32,
    horizon_days: i32,
}

/// Why these are no terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTerms {
    #[error("must be from 0 to {LEAD_MINUTES_MAX} minutes")]
    Lead,
    #[error("must be from 1 to {HORIZON_DAYS_MAX} days")]
    Horizon,
    #[error("must be less than the days of horizon_days, else nothing could ever be booked")]
    LeadBeyondHorizon,
}

impl Default for Terms {
    /// Until a slot begins, and 62 days ahead.
    fn default() -> Self {
        Self {
            lead_minutes: 0,
            horizon_days: HORIZON_DAYS,
        }
    }
}

impl Terms {
    pub fn new(lead_minutes: i32, horizon_days: i32) -> Result<Self, NoTerms> {
        if !(0..=LEAD_MINUTES_MAX).contains(&lead_minutes) {
            return Err(NoTerms::Lead);
        }
        if !(1..=HORIZON_DAYS_MAX).contains(&horizon_days) {
            return Err(NoTerms::Horizon);
        }
        if lead_minutes >= horizon_days * MINUTES_PER_DAY {
            return Err(NoTerms::LeadBeyondHorizon);
        }
        Ok(Self {
            lead_minutes,
            horizon_days,
        })
    }

    pub fn lead_minutes(self) -> i32 {
        self.lead_minutes
    }

    pub fn horizon_days(self) -> i32 {
        self.horizon_days
    }

    /// Whether a slot that begins at `start` leaves less time than the practitioner wants. One that
    /// begins when the lead time is over does not any more, as one that begins now has begun.
    pub fn is_too_soon(self, start: Timestamp, now: Timestamp) -> bool {
        self.closes(start) <= now
    }

    /// From when on a slot that begins at `start` can't be booked any more.
    pub fn closes(self, start: Timestamp) -> Timestamp {
        start.saturating_sub(self.lead()).unwrap_or(Timestamp::MIN)
    }

    /// The first and the last local date that can be booked.
    pub fn dates(self, zone: &Zone, now: Timestamp) -> (Date, Date) {
        let today = zone.date(now);
        (today, self.last(today))
    }

    /// As `dates`, for somebody who may be anywhere: local dates are at most a day away from UTC's.
    pub fn dates_anywhere(self, now: Timestamp) -> (Date, Date) {
        let (first, last) = self.dates(&Zone::utc(), now);
        (first.saturating_sub(1.day()), last.saturating_add(1.day()))
    }

    /// The last local date that can be booked at `now` wherever one is: a day later it depends.
    pub fn last_date_everywhere(self, now: Timestamp) -> Date {
        self.last(first_date_anywhere(now))
    }

    /// When the clock alone changes what can be booked, at the earliest: a slot comes too close, or a
    /// date comes within the horizon. Slots begin, and dates too, on quarters of an hour.
    pub fn next_change(self, now: Timestamp) -> Timestamp {
        let with_lead = now.saturating_add(self.lead()).unwrap_or(Timestamp::MAX);
        self.closes(next_quarter(with_lead)).min(next_quarter(now))
    }

    fn lead(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.lead_minutes))
    }

    /// The last date that can be booked where it is `today`.
    fn last(self, today: Date) -> Date {
        today.saturating_add((self.horizon_days - 1).days())
    }
}

/// The earliest local date that it is anywhere at `now`.
pub fn first_date_anywhere(now: Timestamp) -> Date {
    Zone::utc().date(now).saturating_sub(1.day())
}

/// The first and the last local date that anybody can be booked on, wherever they are.
pub fn dates_of_anybody(now: Timestamp) -> (Date, Date) {
    WIDEST.dates_anywhere(now)
}

/// No slot that can be booked at `now` begins then or later, whoever it is of.
pub fn end_of_anybody(now: Timestamp) -> Timestamp {
    // A day more for the zones that are behind UTC, and one for today.
    let days = i64::from(HORIZON_DAYS_MAX) + 2;
    let end = now.saturating_add(SignedDuration::from_hours(24 * days));
    end.unwrap_or(Timestamp::MAX)
}

const WIDEST: Terms = Terms {
    lead_minutes: 0,
    horizon_days: HORIZON_DAYS_MAX,
};

/// No zone is apart from the others by less.
const QUARTER_SECONDS: i64 = 15 * 60;

fn next_quarter(now: Timestamp) -> Timestamp {
    let left = QUARTER_SECONDS - now.as_second().rem_euclid(QUARTER_SECONDS);
    Timestamp::from_second(now.as_second() + left).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_could_never_be_booked_is_no_terms() {
        assert_eq!(Terms::new(0, HORIZON_DAYS), Ok(Terms::default()));
        assert_eq!(Terms::new(-1, 62), Err(NoTerms::Lead));
        assert_eq!(Terms::new(LEAD_MINUTES_MAX + 1, 365), Err(NoTerms::Lead));
        assert_eq!(Terms::new(0, 0), Err(NoTerms::Horizon));
        assert_eq!(Terms::new(0, HORIZON_DAYS_MAX + 1), Err(NoTerms::Horizon));
        assert_eq!(Terms::new(1_440, 1), Err(NoTerms::LeadBeyondHorizon));
        assert!(Terms::new(1_439, 1).is_ok());
        assert!(Terms::new(LEAD_MINUTES_MAX, HORIZON_DAYS_MAX).is_ok());
    }

    #[test]
    fn a_slot_is_too_soon_once_the_lead_time_is_over() {
        let (two_hours, start) = (Terms::new(120, 62).unwrap(), at("2026-11-23T10:00:00Z"));
        assert!(!two_hours.is_too_soon(start, at("2026-11-23T07:59:59Z")));
        assert!(two_hours.is_too_soon(start, at("2026-11-23T08:00:00Z")));
        assert!(!Terms::default().is_too_soon(start, at("2026-11-23T09:59:59Z")));
        assert!(Terms::default().is_too_soon(start, start));
    }

    #[test]
    fn today_is_the_first_day_of_the_horizon() {
        let now = at("2026-11-23T23:30:00Z");
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let days = |days| {
            let (first, last) = Terms::new(0, days).unwrap().dates(&berlin, now);
            (first.to_string(), last.to_string())
        };
        assert_eq!(days(1), ("2026-11-24".into(), "2026-11-24".into()));
        assert_eq!(days(62), ("2026-11-24".into(), "2027-01-24".into()));
    }

    #[test]
    fn the_clock_changes_what_is_free_at_each_quarter_and_where_a_lead_time_is_over() {
        let next = |lead, now| Terms::new(lead, 62).unwrap().next_change(at(now));
        for (lead, now, expected) in [
            (0, "2026-11-23T08:00:00Z", "2026-11-23T08:15:00Z"),
            (0, "2026-11-23T08:14:59.9Z", "2026-11-23T08:15:00Z"),
            (60, "2026-11-23T08:01:00Z", "2026-11-23T08:15:00Z"),
            (10, "2026-11-23T08:01:00Z", "2026-11-23T08:05:00Z"),
            (10, "2026-11-23T08:05:00Z", "2026-11-23T08:15:00Z"),
        ] {
            assert_eq!(next(lead, now), at(expected), "{lead} minutes at {now}");
        }
    }
}
