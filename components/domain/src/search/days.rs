//! The days that a search counts.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::zone::Zone;

/// As far as availability looks.
pub const DAYS_MAX: usize = 62;

/// Days of one zone that follow each other; the first and the last may be there in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    dates: Vec<Date>,
    /// One more than dates, ascending: each day goes from its own to the next, which is exclusive.
    bounds: Vec<Timestamp>,
}

impl Days {
    /// The days from one instant to another that comes later, the first `DAYS_MAX` of them.
    pub fn between(from: Timestamp, before: Timestamp, zone: &Zone) -> Self {
        let mut date = zone.date(from);
        let (mut dates, mut bounds) = (Vec::new(), vec![from]);
        let mut begins = from;
        while begins < before && dates.len() < DAYS_MAX {
            let tomorrow = date.tomorrow().ok();
            let ends = tomorrow.and_then(|tomorrow| zone.begin(tomorrow));
            let ends = ends.unwrap_or(before).min(before);
            // A zone that changes sides of the date line skips a day.
            if ends > begins {
                dates.push(date);
                bounds.push(ends);
                begins = ends;
            }
            match tomorrow {
                Some(tomorrow) => date = tomorrow,
                None => break,
            }
        }
        Self { dates, bounds }
    }

    pub fn dates(&self) -> &[Date] {
        &self.dates
    }

    /// In milliseconds since the Unix epoch.
    pub fn bounds_ms(&self) -> Vec<i64> {
        let bounds = self.bounds.iter();
        bounds.map(|bound| bound.as_millisecond()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: &str, before: &str, zone: &str) -> Vec<(String, i64)> {
        let zone = Zone::parse(zone).unwrap();
        let days = Days::between(from.parse().unwrap(), before.parse().unwrap(), &zone);
        let bounds = days.bounds_ms();
        let hours = bounds.windows(2).map(|day| (day[1] - day[0]) / 3_600_000);
        let dates = days.dates().iter().map(Date::to_string);
        assert_eq!(bounds.len(), days.dates().len() + 1);
        dates.zip(hours).collect()
    }

    fn owned(days: &[(&str, i64)]) -> Vec<(String, i64)> {
        let days = days
            .iter()
            .map(|(date, hours)| ((*date).to_owned(), *hours));
        days.collect()
    }

    #[test]
    fn days_begin_at_the_zones_midnight_and_the_ends_are_parts() {
        let noon_to_three = days(
            "2026-10-24T10:00:00Z",
            "2026-10-27T02:00:00Z",
            "Europe/Berlin",
        );
        // Daylight saving ends in that night.
        let expected = [
            ("2026-10-24", 12),
            ("2026-10-25", 25),
            ("2026-10-26", 24),
            ("2026-10-27", 3),
        ];
        assert_eq!(noon_to_three, owned(&expected));
        // Where midnight itself is skipped.
        let cairo = days(
            "2026-04-23T00:00:00Z",
            "2026-04-24T06:00:00Z",
            "Africa/Cairo",
        );
        assert_eq!(cairo.len(), 2);
        let one = days("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z", "UTC");
        assert_eq!(one, owned(&[("2026-11-22", 2)]));
        let to_midnight = days("2026-11-22T10:00:00Z", "2026-11-23T00:00:00Z", "UTC");
        assert_eq!(to_midnight, owned(&[("2026-11-22", 14)]));
    }

    #[test]
    fn a_day_that_a_zone_skips_is_not_there() {
        let apia = days(
            "2011-12-29T12:00:00Z",
            "2011-12-31T09:00:00Z",
            "Pacific/Apia",
        );
        let dates: Vec<_> = apia.iter().map(|(date, _)| date.as_str()).collect();
        assert_eq!(dates, ["2011-12-29", "2011-12-31"]);
    }

    #[test]
    fn there_are_not_too_many_of_them() {
        let all = days("2026-11-22T10:00:00Z", "9999-12-30T00:00:00Z", "UTC");
        assert_eq!(all.len(), DAYS_MAX);
        let end = days(
            "9999-12-29T10:00:00Z",
            "9999-12-30T22:00:00Z",
            "Asia/Kathmandu",
        );
        assert_eq!(end.len(), 3);
    }
}
