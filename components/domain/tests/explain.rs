//! What `explain` says, held against what availability offers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use praxis_domain::calendar::{self, BOOKING_HORIZON_DAYS};
use praxis_domain::explain::{Explanation, Holder, explain};
use praxis_domain::mask::Mask;
use praxis_domain::schedule::Schedule;
use praxis_domain::slot::Slot;
use praxis_domain::zone::Zone;
use proptest::prelude::*;
use uuid::Uuid;

/// Of all kinds: whole, half and quarter hours, both halves of the world, and one without changes.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
];

/// Offsets from now are looked at in quarter hours.
const STEP: SignedDuration = SignedDuration::from_mins(15);

fn mask() -> impl Strategy<Value = Mask> {
    (0..=Mask::ALL.bits()).prop_map(|bits| Mask::from_bits(bits).unwrap())
}

fn now() -> impl Strategy<Value = Timestamp> {
    let first: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    (0..3 * 365 * 86_400_i64).prop_map(move |seconds| first + SignedDuration::from_secs(seconds))
}

/// Days from the date of now, and what holds on them.
fn masks_by_day() -> impl Strategy<Value = BTreeMap<i32, Mask>> {
    prop::collection::btree_map(-2..BOOKING_HORIZON_DAYS + 2, mask(), 0..12)
}

fn dated(by_day: &BTreeMap<i32, Mask>, today: Date) -> BTreeMap<Date, Mask> {
    let dated = by_day.iter();
    dated
        .map(|(day, mask)| (today.saturating_add(day.days()), *mask))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn free_is_exactly_what_availability_offers(
        zone in prop::sample::select(&ZONES[..]),
        week in prop::array::uniform7(mask()),
        exceptions in masks_by_day(),
        booked in masks_by_day(),
        now in now(),
        first_day in -2..BOOKING_HORIZON_DAYS,
    ) {
        let zone = Zone::parse(zone).unwrap();
        let today = zone.date(now);
        let schedule = Schedule { zone: zone.clone(), week, exceptions: dated(&exceptions, today) };
        let booked = dated(&booked, today);
        let (from, to) = (today.saturating_sub(3.days()), today.saturating_add(70.days()));
        let offered: BTreeSet<Timestamp> = calendar::days(&schedule, &booked, from, to)
            .iter()
            .flat_map(|day| day.slots(&zone, now))
            .map(|slot| slot.start())
            .collect();
        // Four days of quarter hours, wherever in the horizon, and behind it.
        let whole = SignedDuration::from_hours(24 * i64::from(first_day));
        let mut start = now - SignedDuration::from_secs(now.as_second() % 900) + whole;
        for _ in 0..4 * 96 {
            let holder = Slot::parse(start, &zone).ok().and_then(|slot| {
                let mask = booked.get(&slot.date())?;
                mask.contains(slot.hour()).then_some(Holder::Booking(Uuid::nil()))
            });
            let explained = explain(start, &schedule, true, holder, now);
            prop_assert_eq!(
                explained == Explanation::Free, offered.contains(&start), "{} {:?}", start, explained
            );
            start += STEP;
        }
    }

    #[test]
    fn nothing_of_an_inactive_practitioner_is_free(week in prop::array::uniform7(mask()), now in now()) {
        let schedule = Schedule { zone: Zone::utc(), week, exceptions: BTreeMap::new() };
        for hour in 0..48 {
            let start = now + SignedDuration::from_hours(hour);
            prop_assert_ne!(explain(start, &schedule, false, None, now), Explanation::Free);
        }
    }
}
