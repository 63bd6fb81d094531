//! First come, first offered; nobody is offered again what they let go; and what came free is kept
//! from nobody who waits for it.
//!
//! Who waited is judged by what had certainly been committed before an offer's statement began and was
//! certainly not changed before it ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::waitlist::{Entry, Offer};
use super::{Seen, Violation};
use crate::history::Slot;

/// A change is committed so long after it was written down, at most.
const COMMIT_US_MAX: i64 = 2_000_000;

/// By patient and slot: when a booking of theirs was made or changed.
type Had<'a> = HashMap<(&'a str, Slot), Vec<i64>>;

pub fn check(
    seen: &Seen,
    entries: &BTreeMap<Uuid, Entry<'_>>,
    offers: &[Offer<'_>],
    violations: &mut Vec<Violation>,
) {
    let had = had(seen);
    again(entries, offers, &had, violations);
    in_turn(seen, entries, offers, &had, violations);
    withheld(seen, entries, &had, violations);
}

fn had(seen: &Seen) -> Had<'_> {
    let rows: HashMap<Uuid, (&str, Slot)> = seen
        .bookings
        .iter()
        .map(|row| (row.id, (&*row.subject, row.slot)))
        .collect();
    let mut had = Had::new();
    for change in &seen.history {
        if let Some(key) = rows.get(&change.booking) {
            had.entry(*key).or_default().push(change.at_us);
        }
    }
    had
}

/// Whether a patient had a booking of the slot between two instants: then it is not offered to them.
fn had_it(had: &Had<'_>, subject: &str, slot: Slot, from: i64, to: i64) -> bool {
    let times = had.get(&(subject, slot)).into_iter().flatten();
    times.copied().any(|at| from <= at && at <= to)
}

fn again(
    entries: &BTreeMap<Uuid, Entry<'_>>,
    offers: &[Offer<'_>],
    had: &Had<'_>,
    violations: &mut Vec<Violation>,
) {
    for offer in offers {
        let wait = offer.wait;
        let Some(entry) = entries.get(&wait.entry) else {
            continue;
        };
        let since = entry.first().at_us;
        let until = wait.began_us - COMMIT_US_MAX;
        if had_it(had, &wait.subject, offer.slot, since, until) {
            violations.push(Violation::OfferedAgain {
                entry: wait.entry,
                slot: offer.slot,
            });
        }
    }
}

fn in_turn(
    seen: &Seen,
    entries: &BTreeMap<Uuid, Entry<'_>>,
    offers: &[Offer<'_>],
    had: &Had<'_>,
    violations: &mut Vec<Violation>,
) {
    let erasures = seen.erasures();
    for offer in offers {
        let Some(own) = entries.get(&offer.wait.entry) else {
            continue;
        };
        let turn = (own.first().began_us, offer.wait.entry);
        let (began, at) = (offer.wait.began_us, offer.wait.at_us);
        let passed_over = entries.iter().find(|(id, other)| {
            let first = other.first();
            (first.began_us, **id) < turn
                // Whoever is being erased is passed over.
                && !erasures.contains_key(&*first.subject)
                && first.is_for(offer.slot, seen) == Some(true)
                && waited(other, began - COMMIT_US_MAX, at)
                && !had_it(had, &first.subject, offer.slot, first.began_us, at)
        });
        if let Some((passed_over, _)) = passed_over {
            violations.push(Violation::Unfair {
                slot: offer.slot,
                entry: offer.wait.entry,
                passed_over: *passed_over,
            });
        }
    }
}

/// Whether an entry waited all the time between two instants.
fn waited(entry: &Entry<'_>, from: i64, to: i64) -> bool {
    let next = entry.states.iter().skip(1).map(|state| state.began_us);
    let until = next.chain([i64::MAX]);
    let mut spans = entry.states.iter().zip(until);
    spans.any(|(state, until)| state.status == "waiting" && state.at_us <= from && to < until)
}

/// What is free in the end, and came free while somebody waited for it who waits still, was kept
/// from them.
fn withheld(
    seen: &Seen,
    entries: &BTreeMap<Uuid, Entry<'_>>,
    had: &Had<'_>,
    violations: &mut Vec<Violation>,
) {
    let erased: Vec<&str> = seen.erasures().into_keys().collect();
    for (slot, at) in free_again(seen) {
        let kept_from = entries.iter().find(|(_, entry)| {
            let (first, last) = (entry.first(), entry.last());
            last.status == "waiting"
                && last.at_us + COMMIT_US_MAX < at
                && first.is_for(slot, seen) == Some(true)
                && !erased.contains(&&*first.subject)
                && !had_it(had, &first.subject, slot, first.began_us, i64::MAX)
        });
        if let Some((entry, _)) = kept_from {
            let entry = *entry;
            violations.push(Violation::Withheld { slot, entry });
        }
    }
}

/// The slots that are free and always were offered, and when they came free last.
fn free_again(seen: &Seen) -> BTreeMap<Slot, i64> {
    let rows: HashMap<Uuid, Slot> = seen.bookings.iter().map(|row| (row.id, row.slot)).collect();
    let mut freed: BTreeMap<Slot, i64> = BTreeMap::new();
    for change in &seen.history {
        let frees = matches!(
            &*change.change,
            "released" | "cancelled" | "moved-away" | "expired"
        );
        if let Some(slot) = rows.get(&change.booking).filter(|_| frees) {
            let at = freed.entry(*slot).or_insert(change.at_us);
            *at = change.at_us.max(*at);
        }
    }
    for row in seen.bookings.iter().filter(|row| row.is_live()) {
        freed.remove(&row.slot);
    }
    let fickle = fickle(seen);
    freed.retain(|slot, _| {
        let offered = seen.offered.get(&slot.practitioner);
        let is_offered = offered.is_some_and(|starts| starts.contains(&slot.start));
        is_offered && !fickle.contains(slot)
    });
    freed
}

/// Slots in hours that were not always offered: one that came free then was free for everybody.
fn fickle(seen: &Seen) -> BTreeSet<Slot> {
    let facts = seen.saved.iter().filter_map(|event| event.facts.as_ref());
    facts
        .filter(|facts| {
            let mut profiles = seen.profiles.iter();
            profiles.any(|profile| {
                profile.practitioner == facts.slot.practitioner && !profile.offers(facts)
            })
        })
        .map(|facts| facts.slot)
        .collect()
}
