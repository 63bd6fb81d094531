//! The bitmap is the schedule minus the live bookings, and the search document says the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::{Seen, Violation};

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    for (practitioner, expected) in expected(seen) {
        match seen.free.get(&practitioner) {
            Some((free, source)) if *free == expected && source == "bitmap" => {}
            Some((free, source)) => violations.push(Violation::Bitmap {
                practitioner,
                source: source.clone(),
                wrongly_free: free.difference(&expected).copied().collect(),
                wrongly_booked: expected.difference(free).copied().collect(),
            }),
            None => violations.push(Violation::Bitmap {
                practitioner,
                source: "nobody".to_owned(),
                wrongly_free: Vec::new(),
                wrongly_booked: expected.iter().copied().collect(),
            }),
        }
        let next = expected.first().copied();
        let found = seen.found.get(&practitioner).copied().flatten();
        if found != next {
            violations.push(Violation::Document {
                practitioner,
                next,
                found,
            });
        }
    }
}

/// By practitioner: what should be free.
pub fn expected(seen: &Seen) -> BTreeMap<Uuid, BTreeSet<i64>> {
    let mut booked: HashMap<Uuid, BTreeSet<i64>> = HashMap::new();
    for row in seen.bookings.iter().filter(|row| row.is_live()) {
        let own = booked.entry(row.slot.practitioner).or_default();
        own.insert(row.slot.start);
    }
    let free = |(practitioner, offered): (&Uuid, &BTreeSet<i64>)| {
        let none = BTreeSet::new();
        let booked = booked.get(practitioner).unwrap_or(&none);
        (*practitioner, offered.difference(booked).copied().collect())
    };
    seen.offered.iter().map(free).collect()
}
