//! What `explain` says, held against what availability offers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use praxis_domain::calendar;
use praxis_domain::explain::{Explanation, Holder, Stranding, Taken, explain, stranded};
use praxis_domain::mask::Mask;
use praxis_domain::schedule::{Period, Schedule, Span, Spans, Week};
use praxis_domain::slot::Slot;
use praxis_domain::terms::Terms;
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

/// Days from the date of now that are looked at.
const DAYS: i32 = 80;

/// Days from the date of now, and what holds on them.
fn masks_by_day() -> impl Strategy<Value = BTreeMap<i32, Mask>> {
    prop::collection::btree_map(-2..DAYS, mask(), 0..12)
}

fn terms() -> impl Strategy<Value = Terms> {
    let lead = prop_oneof![Just(0), 0..3_000];
    let days = prop_oneof![Just(62), 1..DAYS];
    (lead, days).prop_filter_map("nothing could be booked", |(lead, days)| {
        Terms::new(lead, days).ok()
    })
}

/// What holds instead of the week, in days from the date of now.
#[derive(Debug, Clone)]
struct Else {
    exceptions: BTreeMap<i32, Mask>,
    holidays: BTreeSet<i32>,
    leave: Vec<(i32, i32)>,
    /// Each begins some days after the last one ended, and holds some more.
    periods: Vec<(i32, i32, Week)>,
}

fn or_else() -> impl Strategy<Value = Else> {
    let holidays = prop::collection::btree_set(-2..DAYS, 0..6);
    let leave = prop::collection::vec((-2..DAYS, 0..9), 0..3);
    let periods = prop::collection::vec((1..30, 0..20, prop::array::uniform7(mask())), 0..4);
    (masks_by_day(), holidays, leave, periods).prop_map(|(exceptions, holidays, leave, periods)| {
        Else {
            exceptions,
            holidays,
            leave,
            periods,
        }
    })
}

impl Else {
    fn in_schedule(&self, zone: Zone, week: Week, terms: Terms, today: Date) -> Schedule {
        let day = |days: i32| today.saturating_add(days.days());
        let spans = self.leave.iter();
        let spans = spans.map(|(from, more)| Span::new(day(*from), day(from + more)).unwrap());
        let mut ended = -3;
        let mut periods = Vec::new();
        for (gap, more, week) in &self.periods {
            let begins = ended + gap;
            ended = begins + more;
            periods.push(Period {
                valid_from: day(begins),
                valid_until: Some(day(ended)),
                week: *week,
            });
        }
        Schedule {
            exceptions: dated(&self.exceptions, today),
            holidays: self.holidays.iter().map(|days| day(*days)).collect(),
            leave: Spans::of(spans),
            periods,
            terms,
            ..Schedule::of_week(zone, week)
        }
    }
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
        or_else in or_else(),
        terms in terms(),
        booked in masks_by_day(),
        now in now(),
        first_day in -2..DAYS - 4,
    ) {
        let zone = Zone::parse(zone).unwrap();
        let today = zone.date(now);
        let schedule = or_else.in_schedule(zone.clone(), week, terms, today);
        let booked = dated(&booked, today);
        let (from, to) = (today.saturating_sub(3.days()), today.saturating_add((DAYS + 2).days()));
        let offered: BTreeSet<Timestamp> = calendar::days(&schedule, &booked, from, to)
            .iter()
            .flat_map(|day| day.slots(&zone, terms, now))
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
        let schedule = Schedule::of_week(Zone::utc(), week);
        for hour in 0..48 {
            let start = now + SignedDuration::from_hours(hour);
            prop_assert_ne!(explain(start, &schedule, false, None, now), Explanation::Free);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Rules of a zone that change are as another zone's: whatever they become, a booking stands exactly
    /// where it still begins at its local hour, and that is open.
    #[test]
    fn new_rules_of_a_zone_strand_what_they_move(
        before in prop::sample::select(&ZONES[..]),
        after in prop::sample::select(&ZONES[..]),
        week in prop::array::uniform7(mask()),
        now in now(),
        hour in 0_u8..24,
    ) {
        let (before, after) = (Zone::parse(before).unwrap(), Zone::parse(after).unwrap());
        let date = before.date(now);
        let Some(slot) = Slot::at(date, hour, &before) else {
            return Ok(());
        };
        let taken = Taken { start: slot.start(), date, hour };
        let schedule = Schedule::of_week(after.clone(), week);
        let stranding = stranded(&taken, &schedule, true);
        let stays = Slot::at(date, hour, &after).map(|slot| slot.start()) == Some(slot.start());
        let is_open = schedule.open(date).contains(hour);
        prop_assert_eq!(stranding.is_none(), stays && is_open, "{:?}", stranding);
        if !stays && Slot::parse(slot.start(), &after).is_err() {
            prop_assert_eq!(stranding, Some(Stranding::ClockChanged));
        }
    }
}
