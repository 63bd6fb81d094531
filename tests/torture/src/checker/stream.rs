//! Every commit has exactly one event; versions have no gap; replayed in their order, no slot is ever
//! taken twice, none outside the hours that held at that version, and what is left is what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::{Event, Profile, Seen, Violation};
use crate::history::Slot;

const AVAILABILITY: &str = "availability-events";

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    versions(seen, violations);
    one_each(seen, violations);
    replay(seen, violations);
    rows(seen, violations);
    published(seen, violations);
}

/// From 1 on, each once. Bookings and profiles of a practitioner count together.
fn versions(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut streams: HashMap<(Uuid, bool), BTreeMap<u64, u32>> = HashMap::new();
    for event in &seen.saved {
        let stream = (event.key, event.topic == AVAILABILITY);
        *streams
            .entry(stream)
            .or_default()
            .entry(event.version)
            .or_default() += 1;
    }
    for practitioner in &seen.practitioners {
        for (is_availability, end) in [
            (false, practitioner.version),
            (true, practitioner.announced),
        ] {
            let found = streams.remove(&(practitioner.id, is_availability));
            let found = found.unwrap_or_default();
            let stream = if is_availability {
                AVAILABILITY
            } else {
                "bookings and profile"
            };
            let missing = (1..=end).filter(|version| !found.contains_key(version));
            violations.extend(missing.map(|version| Violation::Gap {
                practitioner: practitioner.id,
                stream,
                version,
            }));
            let odd = found
                .into_iter()
                .filter(|(version, times)| *times > 1 || *version > end);
            violations.extend(odd.map(|(version, times)| Violation::OddVersion {
                practitioner: practitioner.id,
                stream,
                version,
                times,
            }));
        }
    }
}

/// One event for each version of each booking; none for a hold that is kept for longer.
fn one_each(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut told: HashMap<(Uuid, i32), u32> = HashMap::new();
    let mut moved: HashMap<Uuid, u32> = HashMap::new();
    for facts in seen.saved.iter().filter_map(|event| event.facts.as_ref()) {
        *told
            .entry((facts.booking, facts.booking_version))
            .or_default() += 1;
        if let Some((old, _)) = facts.previous {
            *moved.entry(old).or_default() += 1;
        }
    }
    let extended: HashSet<(Uuid, i32)> = seen
        .history
        .iter()
        .filter(|change| change.change == "extended")
        .map(|change| (change.booking, change.version))
        .collect();
    for row in &seen.bookings {
        for version in 1..=row.version {
            // The slot is held as before: nobody is told.
            let expected = u32::from(!extended.contains(&(row.id, version)));
            // The last change of one that was moved is told by the event of the new one.
            let times = if row.status == "rescheduled" && version == row.version {
                moved.get(&row.id)
            } else {
                told.get(&(row.id, version))
            };
            let times = times.copied().unwrap_or_default();
            if times != expected {
                violations.push(Violation::EventsOfOneCommit {
                    booking: row.id,
                    version,
                    times,
                });
            }
        }
    }
}

fn replay(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut profiles: HashMap<Uuid, BTreeMap<u64, &Profile>> = HashMap::new();
    for profile in &seen.profiles {
        let own = profiles.entry(profile.practitioner).or_default();
        own.insert(profile.version, profile);
    }
    let mut events: Vec<&Event> = seen
        .saved
        .iter()
        .filter(|event| event.facts.is_some())
        .collect();
    events.sort_by_key(|event| (event.key, event.version));
    let mut live: HashMap<Slot, Uuid> = HashMap::new();
    for event in events {
        let Some(facts) = &event.facts else { continue };
        if matches!(&*event.kind, "BookingCancelled" | "HoldExpired") {
            free(&mut live, facts.slot, facts.booking);
            continue;
        }
        if let Some((booking, slot)) = facts.previous {
            free(&mut live, slot, booking);
        }
        let before = live.insert(facts.slot, facts.booking);
        if let Some(first) = before.filter(|first| *first != facts.booking) {
            violations.push(Violation::DoubleBooked {
                slot: facts.slot,
                bookings: (first, facts.booking),
                version: event.version,
            });
        }
        let own = profiles.get(&event.key);
        let profile = own.and_then(|own| own.range(..event.version).next_back());
        if let Some((since, profile)) = profile
            && !profile.offers(facts)
        {
            violations.push(Violation::OutsideHours {
                booking: facts.booking,
                slot: facts.slot,
                version: event.version,
                profile_since: *since,
            });
        }
    }
    let rows = seen.bookings.iter().filter(|row| row.is_live());
    let rows: BTreeSet<(Slot, Uuid)> = rows.map(|row| (row.slot, row.id)).collect();
    let live: BTreeSet<(Slot, Uuid)> = live.into_iter().collect();
    for (slot, booking) in rows.symmetric_difference(&live) {
        violations.push(Violation::EventsSayOtherwise {
            booking: *booking,
            slot: *slot,
            is_live: rows.contains(&(*slot, *booking)),
        });
    }
}

fn free(live: &mut HashMap<Slot, Uuid>, slot: Slot, booking: Uuid) {
    if live.get(&slot) == Some(&booking) {
        live.remove(&slot);
    }
}

/// What the index promises, asked of the rows themselves.
fn rows(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut live: HashMap<Slot, Uuid> = HashMap::new();
    for row in seen.bookings.iter().filter(|row| row.is_live()) {
        if let Some(first) = live.insert(row.slot, row.id) {
            violations.push(Violation::TwoRows {
                slot: row.slot,
                bookings: (first, row.id),
            });
        }
    }
}

/// All that was saved is in the topics and nothing else; first ones of a key are in their order.
fn published(seen: &Seen, violations: &mut Vec<Violation>) {
    let saved: HashMap<Uuid, &Event> = seen.saved.iter().map(|event| (event.id, event)).collect();
    let mut met: HashSet<Uuid> = HashSet::new();
    let mut last: HashMap<(&str, Uuid), u64> = HashMap::new();
    for event in &seen.published {
        if !met.insert(event.id) {
            continue;
        }
        let is_saved = saved
            .get(&event.id)
            .is_some_and(|saved| (&saved.kind, saved.version) == (&event.kind, event.version));
        if !is_saved {
            violations.push(Violation::Stranger {
                event: event.id,
                topic: event.topic.clone(),
            });
        }
        let last = last.entry((&event.topic, event.key)).or_default();
        if event.version < *last {
            violations.push(Violation::OutOfOrder {
                practitioner: event.key,
                topic: event.topic.clone(),
                version: event.version,
                after: *last,
            });
        }
        *last = event.version.max(*last);
    }
    let unpublished = seen.saved.iter().filter(|event| !met.contains(&event.id));
    violations.extend(unpublished.map(|event| Violation::Unpublished {
        event: event.id,
        kind: event.kind.clone(),
    }));
}
