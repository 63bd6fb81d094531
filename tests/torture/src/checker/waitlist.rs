//! Who waits was asked to, is offered what they wait for, one thing at a time, and in their turn.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::turns;
use super::{Booking, Seen, Violation, Wait};
use crate::history::{Deed, Outcome, Slot, Told, Whom, Wish};

/// An entry with all its states, in their order.
pub struct Entry<'a> {
    pub states: Vec<&'a Wait>,
}

/// A hold that an entry was given.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    pub booking: Uuid,
    pub slot: Slot,
    /// The entry as it was marked.
    pub wait: &'a Wait,
}

/// How many entries and offers there were.
pub fn check(seen: &Seen, violations: &mut Vec<Violation>) -> (usize, usize) {
    let entries = entries(seen);
    let rows: HashMap<Uuid, &Booking> = seen.bookings.iter().map(|row| (row.id, row)).collect();
    asked_for(seen, &entries, violations);
    as_told(seen, &entries, violations);
    for entry in entries.values() {
        settled(seen, entry, &rows, violations);
    }
    let offers = offers(&entries, &rows);
    fitting(seen, &offers, &rows, violations);
    one_at_a_time(seen, &offers, violations);
    turns::check(seen, &entries, &offers, violations);
    (entries.len(), offers.len())
}

impl Entry<'_> {
    pub fn first(&self) -> &Wait {
        self.states[0]
    }

    pub fn last(&self) -> &Wait {
        self.states[self.states.len() - 1]
    }
}

impl Wait {
    /// Whether it is for such a slot, certainly: an area's edge is neither in nor out.
    pub fn is_for(&self, slot: Slot, seen: &Seen) -> Option<bool> {
        let in_time = self.from.is_none_or(|from| from <= slot.start) && slot.start < self.to;
        let with_whom = match (&self.practitioner, &self.area) {
            (Some(practitioner), _) => *practitioner == slot.practitioner,
            (None, Some(area)) => {
                let place = seen.places.get(&slot.practitioner);
                match place.and_then(|place| place.beyond_km(area)) {
                    Some(beyond) if beyond.abs() < EDGE_KM => return None,
                    Some(beyond) => beyond < 0.0,
                    None => false,
                }
            }
            (None, None) => false,
        };
        Some(in_time && with_whom)
    }
}

/// So near to its edge it is not said whether something is in an area.
const EDGE_KM: f64 = 0.01;

fn entries(seen: &Seen) -> BTreeMap<Uuid, Entry<'_>> {
    let mut entries: BTreeMap<Uuid, Entry> = BTreeMap::new();
    for wait in &seen.waits {
        let states = Vec::new();
        let entry = entries.entry(wait.entry).or_insert(Entry { states });
        entry.states.push(wait);
    }
    entries
}

/// Every entry was asked for, by its own patient, and ended by them.
fn asked_for(seen: &Seen, entries: &BTreeMap<Uuid, Entry<'_>>, violations: &mut Vec<Violation>) {
    let erasures = seen.erasures();
    let operations = || seen.operations.iter().filter(|one| one.may_have_happened());
    let mut joined: HashMap<Uuid, Vec<&str>> = HashMap::new();
    let mut unclear: HashMap<&str, Vec<Wish>> = HashMap::new();
    let mut left: HashMap<Uuid, Vec<&str>> = HashMap::new();
    for operation in operations() {
        let subject = &*operation.subject;
        match (operation.deed, &operation.outcome) {
            (Deed::Join { wish }, outcome) => {
                if let Outcome::Done(Told::Entry(entry)) = outcome {
                    joined.entry(*entry).or_default().push(subject);
                }
                // An earlier try may have made another one, which is gone since.
                if *outcome == Outcome::Unknown || operation.tries > 1 {
                    unclear.entry(subject).or_default().push(wish);
                }
            }
            (Deed::Leave { entry }, _) => left.entry(entry).or_default().push(subject),
            _ => {}
        }
    }
    for (id, entry) in entries {
        let first = entry.first();
        let subject = &*first.subject;
        let by = |subjects: Option<&Vec<&str>>| subjects.is_some_and(|all| all.contains(&subject));
        let mut wishes = unclear.get(subject).into_iter().flatten();
        if !by(joined.get(id)) && !wishes.any(|wish| is_wish(first, wish, seen)) {
            violations.push(Violation::UnaskedEntry {
                entry: *id,
                subject: subject.to_owned(),
            });
        }
        if entry.last().status == "gone" && !by(left.get(id)) && !erasures.contains_key(subject) {
            violations.push(lost(*id, "it is gone, and nobody asked for that"));
        }
    }
}

/// What was acknowledged is so.
fn as_told(seen: &Seen, entries: &BTreeMap<Uuid, Entry<'_>>, violations: &mut Vec<Violation>) {
    for operation in &seen.operations {
        match (operation.deed, &operation.outcome) {
            (Deed::Join { wish }, Outcome::Done(Told::Entry(id))) => {
                let first = entries.get(id).map(Entry::first);
                let is_there = first.is_some_and(|first| {
                    first.subject == operation.subject && is_wish(first, &wish, seen)
                });
                if !is_there {
                    violations.push(lost(*id, "it was made, and is not there as it was told"));
                }
            }
            (Deed::Leave { entry: id }, Outcome::Done(_)) => {
                let last = entries.get(&id).map(Entry::last);
                if last.is_none_or(|last| last.status != "gone") {
                    violations.push(lost(id, "it was left, and is there"));
                }
            }
            _ => {}
        }
    }
}

fn lost(entry: Uuid, why: &str) -> Violation {
    let why = why.to_owned();
    Violation::LostEntry { entry, why }
}

fn is_wish(wait: &Wait, wish: &Wish, seen: &Seen) -> bool {
    let is_whom = match wish.whom {
        Whom::Practitioner(practitioner) => wait.practitioner == Some(practitioner),
        Whom::Area(area) => wait.area.as_ref() == seen.areas.get(area),
    };
    is_whom && (wait.from, wait.to) == (wish.from, wish.to)
}

/// When all is over an entry is what became of its booking.
fn settled(
    seen: &Seen,
    entry: &Entry<'_>,
    rows: &HashMap<Uuid, &Booking>,
    violations: &mut Vec<Violation>,
) {
    let last = entry.last();
    let Some(booking) = last.booking else { return };
    let is_well = match &*last.status {
        "offered" => rows.get(&booking).is_some_and(|row| row.status == "held"),
        "fulfilled" => {
            let mut history = seen.history.iter();
            history.any(|change| change.booking == booking && change.change == "confirmed")
        }
        _ => true,
    };
    if !is_well {
        let status = rows.get(&booking).map_or("not there", |row| &row.status);
        let why = format!("it is {}, and {booking} is {status}", last.status);
        violations.push(lost(last.entry, &why));
    }
}

/// Each booking that an entry was marked with, in the order of the marks.
fn offers<'a>(
    entries: &BTreeMap<Uuid, Entry<'a>>,
    rows: &HashMap<Uuid, &Booking>,
) -> Vec<Offer<'a>> {
    let mut offers = Vec::new();
    for entry in entries.values() {
        let mut before = None;
        for wait in &entry.states {
            let booking = wait.booking.filter(|booking| before != Some(*booking));
            before = wait.booking;
            if let Some(booking) = booking
                && let Some(row) = rows.get(&booking)
            {
                let slot = row.slot;
                offers.push(Offer {
                    booking,
                    slot,
                    wait,
                });
            }
        }
    }
    offers.sort_by_key(|offer| offer.wait.at_us);
    offers
}

/// An offer is for the entry's patient, for what they wait for, and announced as an offer.
fn fitting(
    seen: &Seen,
    offers: &[Offer<'_>],
    rows: &HashMap<Uuid, &Booking>,
    violations: &mut Vec<Violation>,
) {
    let kinds: HashMap<Uuid, &str> = seen
        .saved
        .iter()
        .filter_map(|event| {
            let facts = event.facts.as_ref()?;
            (facts.booking_version == 1).then_some((facts.booking, &*event.kind))
        })
        .collect();
    for offer in offers {
        let subject = rows.get(&offer.booking).map(|row| &*row.subject);
        let kind = kinds.get(&offer.booking).copied();
        let why = if subject != Some(&*offer.wait.subject) {
            format!("it is {}'s", subject.unwrap_or("nobody"))
        } else if offer.wait.is_for(offer.slot, seen) == Some(false) {
            format!("nobody waits there for {}", offer.slot)
        } else if kind.is_some_and(|kind| kind != "HoldOffered") {
            format!("it was announced as {}", kind.unwrap_or_default())
        } else {
            continue;
        };
        violations.push(Violation::OddOffer {
            entry: offer.wait.entry,
            booking: offer.booking,
            why,
        });
    }
}

/// An entry has one offer, and a slot is offered once, until the hold has ended without a booking.
fn one_at_a_time(seen: &Seen, offers: &[Offer<'_>], violations: &mut Vec<Violation>) {
    let mut unused: HashMap<Uuid, i64> = HashMap::new();
    let mut ended: HashMap<Uuid, i64> = HashMap::new();
    for change in &seen.history {
        let is_unused = matches!(&*change.change, "released" | "expired");
        if is_unused {
            unused.insert(change.booking, change.at_us);
        }
        if is_unused || matches!(&*change.change, "cancelled" | "moved-away") {
            ended.insert(change.booking, change.at_us);
        }
    }
    let goes_on = |ends: &HashMap<Uuid, i64>, before: &Offer, offer: &Offer| {
        let end = ends.get(&before.booking);
        end.is_none_or(|end| *end > offer.wait.at_us)
    };
    let mut of_entry: HashMap<Uuid, Offer> = HashMap::new();
    let mut of_slot: HashMap<Slot, Offer> = HashMap::new();
    for offer in offers {
        if let Some(before) = of_entry.insert(offer.wait.entry, *offer)
            && goes_on(&unused, &before, offer)
        {
            violations.push(Violation::OfferedTwice {
                entry: offer.wait.entry,
                bookings: (before.booking, offer.booking),
            });
        }
        if let Some(before) = of_slot.insert(offer.slot, *offer)
            && goes_on(&ended, &before, offer)
        {
            violations.push(Violation::TwoOffers {
                slot: offer.slot,
                bookings: (before.booking, offer.booking),
            });
        }
    }
}
