//! Nothing is there that nobody asked for, and nothing became of it that nobody did.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Booking, Seen, Violation, fates};
use crate::history::{Deed, Outcome, Slot};

/// A hold lasts five minutes at least, counted in whole seconds.
const HOLD_US_MIN: i64 = 298_000_000;

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    asked_for(seen, violations);
    recorded(seen, violations);
    explained(seen, violations);
}

/// Every booking was asked for: by an acknowledged operation, by one whose outcome is unknown, or by an
/// entry of the waitlist that it was offered to.
fn asked_for(seen: &Seen, violations: &mut Vec<Violation>) {
    let keyed = fates::keyed(seen);
    let told: HashSet<Uuid> = seen
        .operations
        .iter()
        .filter(|operation| operation.deed.makes_one())
        .filter_map(|operation| operation.made().map(|made| made.booking))
        .collect();
    let offered: HashSet<(Uuid, &str)> = seen
        .waits
        .iter()
        .filter_map(|wait| Some((wait.booking?, &*wait.subject)))
        .collect();
    let by_receipt: HashMap<Uuid, (&str, &str)> = seen
        .receipts
        .iter()
        .map(|receipt| (receipt.booking, (&*receipt.subject, &*receipt.key)))
        .collect();
    let mut unknown = unknown(seen);
    for row in &seen.bookings {
        if told.contains(&row.id) || offered.contains(&(row.id, &row.subject)) {
            continue;
        }
        let by_key = by_receipt.get(&row.id).and_then(|key| keyed.get(key));
        let by_key = by_key.is_some_and(|operations| {
            let mut operations = operations.iter();
            operations.any(|operation| {
                operation.may_have_happened() && may_make(seen, &operation.deed, row)
            })
        });
        if by_key {
            continue;
        }
        match unknown.get_mut(&(&*row.subject, row.slot)) {
            Some(times) if *times > 0 => *times -= 1,
            Some(_) | None => violations.push(Violation::Unasked {
                booking: row.id,
                subject: row.subject.clone(),
                slot: row.slot,
            }),
        }
    }
}

fn may_make(seen: &Seen, deed: &Deed, row: &Booking) -> bool {
    match deed {
        Deed::BookAny { area } => {
            let place = seen.places.get(&row.slot.practitioner);
            place.is_some_and(|place| place.beyond_km(&seen.areas[*area]).is_some())
        }
        _ => deed.takes() == Some(row.slot),
    }
}

/// How many bookings of a slot somebody may have without an answer or a receipt that says so: a hold
/// has no key, and an erasure takes the receipts with it.
fn unknown(seen: &Seen) -> HashMap<(&str, Slot), u32> {
    let erasures = seen.erasures();
    let mut unknown: HashMap<(&str, Slot), u32> = HashMap::new();
    for operation in seen.operations.iter().filter(|one| one.may_have_happened()) {
        let Some(slot) = operation.deed.takes() else {
            continue;
        };
        let subject = &*operation.subject;
        let is_hold = matches!(operation.deed, Deed::Hold { .. });
        if is_hold && operation.outcome == Outcome::Unknown || erasures.contains_key(subject) {
            *unknown.entry((subject, slot)).or_default() += operation.tries;
        }
    }
    unknown
}

/// Every version of a booking is in its history, once.
fn recorded(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut recorded: HashMap<(Uuid, i32), u32> = HashMap::new();
    for change in &seen.history {
        *recorded
            .entry((change.booking, change.version))
            .or_default() += 1;
    }
    let unrecorded = |booking, version, times| Violation::Unrecorded {
        booking,
        version,
        times,
    };
    for row in &seen.bookings {
        for version in 1..=row.version {
            let times = recorded.remove(&(row.id, version)).unwrap_or_default();
            if times != 1 {
                violations.push(unrecorded(row.id, version, times));
            }
        }
    }
    let beyond = recorded.into_iter();
    violations
        .extend(beyond.map(|((booking, version), times)| unrecorded(booking, version, times)));
}

/// Every change of a booking was somebody's doing, or the clock's.
fn explained(seen: &Seen, violations: &mut Vec<Violation>) {
    let doings = doings(seen);
    let erasures = seen.erasures();
    let subjects: HashMap<Uuid, &str> = seen
        .bookings
        .iter()
        .map(|row| (row.id, &*row.subject))
        .collect();
    let begun: HashMap<Uuid, i64> = seen
        .history
        .iter()
        .filter(|change| change.version == 1)
        .map(|change| (change.booking, change.at_us))
        .collect();
    for change in &seen.history {
        let doings = doings.get(&change.booking).map_or(&[][..], Vec::as_slice);
        let did = |deeds: &[&str]| deeds.iter().any(|deed| doings.contains(deed));
        let subject = subjects.get(&change.booking).copied().unwrap_or_default();
        let is_explained = match &*change.change {
            // Asked for, or not: that is another question.
            "held" | "booked" | "moved-here" => change.version == 1,
            "extended" => did(&["heartbeat"]),
            "confirmed" => did(&["confirm"]),
            "released" => did(&["release", "cancel", "leave"]) || erasures.contains_key(subject),
            "cancelled" => did(&["cancel"]) || erasures.contains_key(subject),
            "moved-away" => did(&["reschedule"]),
            "expired" => {
                let since = begun.get(&change.booking).copied().unwrap_or(i64::MAX);
                did(&["let expire"]) || change.at_us.saturating_sub(since) >= HOLD_US_MIN
            }
            _ => false,
        };
        if !is_explained {
            violations.push(Violation::Unexplained {
                booking: change.booking,
                change: change.change.clone(),
                version: change.version,
            });
        }
    }
}

/// By booking: what may have been done to it.
fn doings(seen: &Seen) -> HashMap<Uuid, Vec<&'static str>> {
    let mut offers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for wait in &seen.waits {
        offers.entry(wait.entry).or_default().extend(wait.booking);
    }
    let mut doings: HashMap<Uuid, Vec<&'static str>> = HashMap::new();
    for operation in seen.operations.iter().filter(|one| one.may_have_happened()) {
        let name = operation.deed.name();
        match operation.deed {
            Deed::Confirm { hold }
            | Deed::Heartbeat { hold }
            | Deed::Release { hold }
            | Deed::LetExpire { hold } => doings.entry(hold).or_default().push(name),
            Deed::Cancel { booking, .. } | Deed::Move { booking, .. } => {
                doings.entry(booking).or_default().push(name);
            }
            Deed::Leave { entry } => {
                for hold in offers.get(&entry).into_iter().flatten() {
                    doings.entry(*hold).or_default().push(name);
                }
            }
            Deed::Book { .. }
            | Deed::BookAny { .. }
            | Deed::Hold { .. }
            | Deed::Join { .. }
            | Deed::Erase => {}
        }
    }
    doings
}
