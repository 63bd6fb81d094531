//! Somebody who works at several places: an hour that is taken at one is taken at all of them. The places
//! may have zones of their own, so an hour of one may take two of another.

use jiff::{SignedDuration, Timestamp};

use crate::slot::Slot;
use crate::zone::Zone;

/// How many places a person may have.
pub const PLACES_MAX: usize = 10;

/// Slots begin on quarters of an hour, in every zone and also where a clock is set by half an hour.
const QUARTER: SignedDuration = SignedDuration::from_mins(15);
const QUARTERS_PER_HOUR: i32 = 4;

/// The slots of a zone that an hour overlaps which begins at `start`, a slot of any zone.
pub fn slots(start: Timestamp, zone: &Zone) -> impl Iterator<Item = Slot> {
    // Exclusive at both ends: 10:00–11:00 and 11:00–12:00 do not overlap.
    ((1 - QUARTERS_PER_HOUR)..QUARTERS_PER_HOUR).filter_map(move |quarters| {
        let begin = start.checked_add(QUARTER * quarters).ok()?;
        Slot::parse(begin, zone).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(start: &str, zone: &str) -> Vec<String> {
        let zone = Zone::parse(zone).unwrap();
        let slots = slots(start.parse().unwrap(), &zone);
        slots
            .map(|slot| format!("{} {}", slot.date(), slot.local_time()))
            .collect()
    }

    #[test]
    fn an_hour_takes_one_of_a_zone_that_is_whole_hours_away_and_two_of_another() {
        let nine_in_berlin = "2026-12-01T08:00:00Z";
        for (zone, expected) in [
            ("Europe/Berlin", &["2026-12-01 09:00"][..]),
            ("Europe/London", &["2026-12-01 08:00"]),
            ("Asia/Kolkata", &["2026-12-01 13:00", "2026-12-01 14:00"]),
            ("Asia/Kathmandu", &["2026-12-01 13:00", "2026-12-01 14:00"]),
            ("Pacific/Auckland", &["2026-12-01 21:00"]),
        ] {
            assert_eq!(taken(nine_in_berlin, zone), expected, "{zone}");
        }
        // Across a midnight.
        assert_eq!(
            taken("2026-12-01T18:00:00Z", "Asia/Kolkata"),
            ["2026-12-01 23:00", "2026-12-02 00:00"]
        );
    }

    #[test]
    fn an_hour_that_the_clock_repeats_is_no_slot_the_second_time() {
        // Two o'clock in summer time, and again in winter time, which nobody can book.
        assert_eq!(
            taken("2026-10-25T00:00:00Z", "Europe/Berlin"),
            ["2026-10-25 02:00"]
        );
        assert_eq!(
            taken("2026-10-25T01:00:00Z", "Europe/Berlin"),
            <[&str; 0]>::default()
        );
        assert_eq!(
            taken("2026-10-25T00:30:00Z", "Europe/Berlin"),
            ["2026-10-25 02:00"]
        );
        // Half an hour is set back in Lord Howe, at two.
        assert_eq!(
            taken("2026-04-04T15:00:00Z", "Australia/Lord_Howe"),
            ["2026-04-05 02:00"]
        );
    }

    #[test]
    fn an_hour_that_the_clock_skips_is_not_taken() {
        assert_eq!(
            taken("2026-03-29T01:30:00Z", "Europe/Berlin"),
            ["2026-03-29 03:00", "2026-03-29 04:00"]
        );
    }
}
