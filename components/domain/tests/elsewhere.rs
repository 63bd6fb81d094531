//! Whoever is booked at one place is taken at the others: by what overlaps, and by nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::{Timestamp, ToSpan as _};
use praxis_domain::elsewhere;
use praxis_domain::mask::HOURS_PER_DAY;
use praxis_domain::slot::Slot;
use praxis_domain::zone::Zone;
use proptest::prelude::*;

/// Ahead, behind, by half and quarter hours, with clocks that are set by an hour, by half of one, or never.
const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];

/// All slots of a zone around an instant that overlap the hour that begins then.
fn overlapping(start: Timestamp, zone: &Zone) -> Vec<Slot> {
    let end = start + 1.hour();
    let today = zone.date(start);
    let dates = [today.yesterday().unwrap(), today, today.tomorrow().unwrap()];
    let slots = dates
        .iter()
        .flat_map(|date| (0..HOURS_PER_DAY).filter_map(|hour| Slot::at(*date, hour, zone)));
    slots
        .filter(|slot| slot.start() < end && start < slot.end())
        .collect()
}

/// A slot of a zone, often where its clock, or that of another zone, is set.
fn slot(zone: &Zone, other: &Zone, at: u32, near: Option<usize>) -> Slot {
    let year: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let changes: Vec<Timestamp> = [zone, other]
        .iter()
        .flat_map(|zone| zone.stretches_around(year).into_iter().skip(1))
        .map(|stretch| stretch.begins)
        .collect();
    let begin = match near.filter(|_| !changes.is_empty()) {
        Some(near) => changes[near % changes.len()] + (i64::from(at % 12) - 6).hours(),
        None => year + i64::from(at).hours(),
    };
    let mut hours = (0..6_i64).filter_map(|hour| {
        let local = zone.local(begin + hour.hours());
        Slot::at(local.date(), u8::try_from(local.hour()).unwrap(), zone)
    });
    hours.next().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn an_hour_takes_what_overlaps_it_and_nothing_else(
        here in prop::sample::select(ZONES.to_vec()),
        there in prop::sample::select(ZONES.to_vec()),
        at in 0..24 * 365_u32,
        near in prop::option::of(0..64_usize),
    ) {
        let (here, there) = (Zone::parse(here).unwrap(), Zone::parse(there).unwrap());
        let slot = slot(&here, &there, at, near);
        let taken: Vec<Slot> = elsewhere::slots(slot.start(), &there).collect();
        prop_assert_eq!(&taken, &overlapping(slot.start(), &there));
        prop_assert!(taken.len() <= 2);
        // Each of them takes the hour in turn.
        for other in taken {
            let back: Vec<Slot> = elsewhere::slots(other.start(), &here).collect();
            prop_assert!(back.contains(&slot), "{slot:?} takes {other:?}");
        }
    }
}
