//! The rules of slots, held against every zone of the IANA database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};

use jiff::civil::{Date, DateTime, date};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use praxis_domain::booking::{self, NotOffered};
use praxis_domain::calendar::{self, Day};
use praxis_domain::mask::Mask;
use praxis_domain::schedule::{DAYS_PER_WEEK, Schedule};
use praxis_domain::slot::Slot;
use praxis_domain::terms::{self, HORIZON_DAYS, Terms};
use praxis_domain::zone::{Stretch, Zone};
use proptest::prelude::*;

fn zones() -> Vec<Zone> {
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    assert!(names.len() > 400, "the bundled database is there");
    names
        .iter()
        .filter_map(|name| Zone::parse(name).ok())
        .collect()
}

fn zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(zones())
}

fn day() -> impl Strategy<Value = Date> {
    (0..3_650_i32).prop_map(|days| date(2024, 1, 1).saturating_add(days.days()))
}

fn always(zone: &Zone) -> Schedule {
    Schedule::of_week(zone.clone(), [Mask::ALL; DAYS_PER_WEEK])
}

/// Half a day before the date begins anywhere.
fn before(date: Date, zone: &Zone) -> Timestamp {
    let mut hours = (0..24).filter_map(|hour| Slot::at(date, hour, zone));
    hours.next().unwrap().start() - SignedDuration::from_hours(12)
}

fn slots(date: Date, zone: &Zone) -> Vec<Slot> {
    let day = Day {
        date,
        open: always(zone).open(date),
        booked: Mask::NONE,
    };
    day.slots(zone, Terms::default(), before(date, zone))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_slot_listed_is_parsed_and_offered(zone in zone(), date in day()) {
        for slot in slots(date, &zone) {
            prop_assert_eq!(Slot::parse(slot.start(), &zone), Ok(slot));
            let offered = booking::offer(slot.start(), &always(&zone), true, before(date, &zone));
            prop_assert_eq!(offered, Ok(slot));
        }
    }

    #[test]
    fn no_two_slots_overlap(zone in zone(), date in day()) {
        let mut both = slots(date, &zone);
        both.extend(slots(date.tomorrow().unwrap(), &zone));
        for pair in both.windows(2) {
            prop_assert!(pair[0].end() <= pair[1].start(), "{:?} {:?}", pair[0], pair[1]);
        }
    }

    #[test]
    fn what_is_parsed_reads_back_as_the_same_local_hour(
        zone in zone(),
        seconds in 1_704_067_200_i64..2_019_686_400,
        to_quarter in any::<bool>(),
    ) {
        let seconds = if to_quarter { seconds - seconds % 900 } else { seconds };
        let instant = Timestamp::from_second(seconds).unwrap();
        let local = zone.local(instant);
        match Slot::parse(instant, &zone) {
            Ok(slot) => {
                prop_assert_eq!(local, slot.date().at(slot.hour() as i8, 0, 0, 0));
                prop_assert_eq!(slot.start(), instant);
            }
            // The second occurrence of an hour, or not an hour at all.
            Err(_) => prop_assert!(
                (local.minute(), local.second()) != (0, 0) || zone.first(local) != Some(instant)
            ),
        }
    }

    #[test]
    fn a_day_without_a_change_has_24_hours(zone in zone(), date in day()) {
        let midnight = |date: Date| zone.first(date.at(0, 0, 0, 0));
        let (Some(start), Some(end)) = (midnight(date), midnight(date.tomorrow().unwrap())) else {
            return Ok(());
        };
        let length = end.duration_since(start);
        let hours = always(&zone).open(date).hours().count();
        if length == SignedDuration::from_hours(24) {
            prop_assert_eq!(hours, 24);
        } else if length > SignedDuration::from_hours(24) {
            // A repeated hour is one slot: its first occurrence.
            prop_assert_eq!(hours, 24);
        } else {
            prop_assert!(hours < 24, "{} hours on {date} in {}", hours, zone.name());
        }
    }

    #[test]
    fn what_is_booked_is_not_listed(zone in zone(), date in day(), hour in 0_u8..24) {
        let day = Day { date, open: always(&zone).open(date), booked: Mask::hour(hour) };
        let listed = day.slots(&zone, Terms::default(), before(date, &zone));
        prop_assert!(listed.iter().all(|slot| slot.hour() != hour));
        prop_assert_eq!(listed.len(), (day.open & !day.booked).hours().count());
    }

    #[test]
    fn the_next_free_slot_is_the_first_one_listed(zone in zone(), date in day()) {
        let now = before(date, &zone);
        let (from, to) = Terms::default().dates(&zone, now);
        let days = calendar::days(&always(&zone), &BTreeMap::new(), from, to);
        prop_assert_eq!(days.len(), HORIZON_DAYS as usize);
        let first = calendar::next_free(days.iter().copied(), &zone, Terms::default(), now, 1);
        let listed = days.iter().flat_map(|day| day.slots(&zone, Terms::default(), now)).next();
        prop_assert_eq!(first.first().copied(), listed);
        let beyond = to.tomorrow().unwrap();
        if let Some(slot) = (0..24).find_map(|hour| Slot::at(beyond, hour, &zone)) {
            prop_assert_eq!(
                booking::offer(slot.start(), &always(&zone), true, now),
                Err(NotOffered::BeyondHorizon { horizon_days: HORIZON_DAYS })
            );
        }
    }
}

/// Both changes of a year, in every zone that has them: found, not guessed.
#[test]
fn skipped_hours_are_never_listed_and_repeated_ones_once() {
    let mut skipped = HashSet::new();
    let mut repeated = HashSet::new();
    for zone in zones() {
        for date in calendar::dates(date(2026, 1, 1), date(2027, 12, 31)) {
            let listed = slots(date, &zone);
            let starts: HashSet<_> = listed.iter().map(Slot::start).collect();
            assert_eq!(starts.len(), listed.len(), "{date} in {}", zone.name());
            if listed.len() < 24 {
                skipped.insert(zone.name().to_owned());
            }
            for pair in listed.windows(2) {
                let apart = pair[1].start().duration_since(pair[0].start());
                assert!(apart >= SignedDuration::from_hours(1));
                if pair[1].hour() == pair[0].hour() + 1 && apart > SignedDuration::from_hours(1) {
                    repeated.insert(zone.name().to_owned());
                    // The second occurrence is no slot.
                    let second = pair[0].end();
                    assert!(
                        Slot::parse(second, &zone).is_err(),
                        "{date} in {}",
                        zone.name()
                    );
                }
            }
        }
    }
    for name in ["Europe/Berlin", "America/New_York", "Australia/Sydney"] {
        assert!(skipped.contains(name), "{name} skips an hour");
        assert!(repeated.contains(name), "{name} repeats an hour");
    }
    // Half an hour only.
    assert!(skipped.contains("Australia/Lord_Howe") && repeated.contains("Australia/Lord_Howe"));
    assert!(!skipped.contains("Asia/Kolkata"));
}

#[test]
fn half_hour_zones_are_aligned_to_their_own_hours() {
    let kolkata = Zone::parse("Asia/Kolkata").unwrap();
    let slot = Slot::at(date(2026, 11, 23), 9, &kolkata).unwrap();
    assert_eq!(slot.start().to_string(), "2026-11-23T03:30:00Z");
    assert!(Slot::parse("2026-11-23T04:00:00Z".parse().unwrap(), &kolkata).is_err());
}

/// What the database makes of the stretches: `first_local_hour` in the migrations.
fn first_local_hour(stretches: &[Stretch], instant: Timestamp) -> Option<DateTime> {
    let stretch = stretches
        .iter()
        .find(|stretch| stretch.begins <= instant && instant < stretch.ends)?;
    let offset = SignedDuration::from_secs(stretch.utc_offset_seconds.into());
    let wall = Zone::utc().local(instant + offset);
    let is_full = (wall.minute(), wall.second()) == (0, 0);
    (is_full && stretch.first_from <= instant).then_some(wall)
}

fn parsed(instant: Timestamp, zone: &Zone) -> Option<DateTime> {
    let slot = Slot::parse(instant, zone).ok()?;
    let hour = i8::try_from(slot.hour()).unwrap();
    Some(slot.date().at(hour, 0, 0, 0))
}

/// Every quarter of an hour around every change of every zone.
#[test]
fn the_stretches_of_a_zone_say_the_same_as_its_rules() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut changes = 0;
    for zone in zones() {
        let stretches = zone.stretches_around(now);
        for pair in stretches.windows(2) {
            assert_eq!(pair[0].ends, pair[1].begins, "{}", zone.name());
            assert_ne!(pair[0].utc_offset_seconds, pair[1].utc_offset_seconds);
            changes += 1;
            for quarter in -100..=100 {
                let instant = pair[1].begins + SignedDuration::from_mins(15 * quarter);
                assert_eq!(
                    first_local_hour(&stretches, instant),
                    parsed(instant, &zone),
                    "{instant} in {}",
                    zone.name()
                );
            }
        }
    }
    assert!(changes > 500, "only {changes} changes");
}

#[test]
fn what_can_be_booked_is_among_the_years_that_are_known() {
    for now in ["2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"] {
        let now: Timestamp = now.parse().unwrap();
        for zone in zones() {
            let stretches = zone.stretches_around(now);
            let (_, last) = terms::dates_of_anybody(now);
            assert!(stretches[0].begins < now, "{}", zone.name());
            let end = stretches.last().unwrap().ends;
            assert!(Zone::utc().date(end) > last, "{}", zone.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// From wherever the stretches are asked for.
    #[test]
    fn any_instant_is_judged_alike_by_stretches_and_rules(
        zone in zone(),
        from in 1_704_067_200_i64..1_900_000_000,
        quarters in 0_i64..40_000,
    ) {
        let from = Timestamp::from_second(from - from % 900).unwrap();
        let to = from + SignedDuration::from_mins(15 * 40_000);
        let instant = from + SignedDuration::from_mins(15 * quarters);
        let stretches = zone.stretches(from, to);
        prop_assert_eq!(stretches[0].begins, from);
        prop_assert_eq!(stretches.last().unwrap().ends, to);
        prop_assert_eq!(first_local_hour(&stretches, instant), parsed(instant, &zone));
    }
}
