//! Every acknowledged change is there, every refused one is not, every unknown one is or is not.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{Booking, Seen, Violation};
use crate::history::{Deed, Made, Operation};

/// All operations that were sent with one key of one subject: they are one request.
pub type Keyed<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Operation>>;

/// So far beyond an area is not outside yet.
const EDGE_KM: f64 = 0.01;

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    let rows: HashMap<Uuid, &Booking> = seen.bookings.iter().map(|row| (row.id, row)).collect();
    for operation in &seen.operations {
        if let Some(made) = operation.made() {
            acknowledged(operation, made, &rows, violations);
        }
        if let Deed::Release { hold } = operation.deed
            && operation.is_done()
        {
            released(hold, &rows, violations);
        }
    }
    receipts(seen, violations);
    once_each(seen, violations);
    within_area(seen, violations);
}

pub fn keyed(seen: &Seen) -> Keyed<'_> {
    let mut keyed = Keyed::new();
    for operation in &seen.operations {
        if let Some(key) = &operation.key {
            let same = keyed.entry((&operation.subject, key)).or_default();
            same.push(operation);
        }
    }
    keyed
}

/// What was acknowledged is there, and is still so if nothing came after it.
fn acknowledged(
    operation: &Operation,
    made: &Made,
    rows: &HashMap<Uuid, &Booking>,
    violations: &mut Vec<Violation>,
) {
    let mut lost = |why: String| {
        violations.push(Violation::Lost {
            deed: operation.deed.name(),
            booking: made.booking,
            why,
        });
    };
    let Some(row) = rows.get(&made.booking) else {
        return lost("there is no such booking".to_owned());
    };
    if row.subject != operation.subject {
        lost(format!("it is {}'s", row.subject));
    }
    let asked = operation.deed.takes();
    if row.slot != made.slot || asked.is_some_and(|slot| slot != row.slot) {
        lost("it is for another slot".to_owned());
    }
    if row.version < made.version || row.version == made.version && row.status != made.status {
        let told = format!("{} at version {}", made.status, made.version);
        lost(format!(
            "{told} was told, {} at version {} is there",
            row.status, row.version
        ));
    }
    if let Deed::Move { booking, .. } = operation.deed {
        let old = rows.get(&booking);
        if old.is_none_or(|old| old.status != "rescheduled")
            || row.rescheduled_from != Some(booking)
        {
            lost(format!("{booking} was not moved there"));
        }
    }
}

/// A hold that was given back has ended, and was never a booking.
fn released(hold: Uuid, rows: &HashMap<Uuid, &Booking>, violations: &mut Vec<Violation>) {
    let status = rows.get(&hold).map(|row| &*row.status);
    if status != Some("cancelled") {
        violations.push(Violation::Lost {
            deed: "release",
            booking: hold,
            why: format!("it is {}", status.unwrap_or("not there")),
        });
    }
}

/// One key, one answer, one receipt; and none where all that was said is no. An erasure takes the
/// receipts with it: what is sent again after it is a new request.
fn receipts(seen: &Seen, violations: &mut Vec<Violation>) {
    let erasures = seen.erasures();
    let kept: HashMap<(&str, &str), Uuid> = seen
        .receipts
        .iter()
        .map(|receipt| ((&*receipt.subject, &*receipt.key), receipt.booking))
        .collect();
    for (key, operations) in keyed(seen) {
        let erased = erasures.get(key.0).map_or(&[][..], Vec::as_slice);
        let in_between = erased
            .iter()
            .any(|erasure| operations.iter().any(|operation| operation.meets(erasure)));
        let mut answers = operations.iter().filter_map(|operation| operation.made());
        let receipt = kept.get(&key).copied();
        if let Some(first) = answers.next() {
            if !in_between && answers.any(|other| other != first) {
                violations.push(Violation::AnsweredTwice {
                    key: key.1.to_owned(),
                    booking: first.booking,
                });
            }
            if erased.is_empty() && receipt != Some(first.booking) {
                violations.push(Violation::NoReceipt {
                    key: key.1.to_owned(),
                    booking: first.booking,
                });
            }
        } else if let Some(booking) = receipt
            && !operations
                .iter()
                .any(|operation| operation.may_have_happened())
        {
            violations.push(Violation::RefusedButThere {
                deed: operations[0].deed.name(),
                booking,
            });
        }
    }
}

/// Of one version of a booking, one change was acknowledged.
fn once_each(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut changed: HashMap<(Uuid, i32), &Operation> = HashMap::new();
    for operation in &seen.operations {
        let Some(change) = operation.changed() else {
            continue;
        };
        let Some(first) = changed.insert(change, operation) else {
            continue;
        };
        // The same request, sent again.
        if first.key.is_none() || first.key != operation.key {
            violations.push(Violation::ChangedTwice {
                booking: change.0,
                version: change.1 - 1,
                deeds: (first.deed.name(), operation.deed.name()),
            });
        }
    }
}

/// Whoever asked for any practitioner of an area got one of them.
fn within_area(seen: &Seen, violations: &mut Vec<Violation>) {
    for operation in &seen.operations {
        let (Deed::BookAny { area }, Some(made)) = (operation.deed, operation.made()) else {
            continue;
        };
        let place = seen.places.get(&made.slot.practitioner);
        let beyond = place.and_then(|place| place.beyond_km(&seen.areas[area]));
        let why = match beyond {
            None => "the practitioner is of another specialty".to_owned(),
            // The index counts with an ellipsoid, or other digits.
            Some(beyond) if beyond > EDGE_KM => format!("{beyond:.3} km outside"),
            Some(_) => continue,
        };
        violations.push(Violation::Astray {
            booking: made.booking,
            why,
        });
    }
}
