//! Every acknowledged change is there, every refused one is not, every unknown one is or is not; and
//! nothing is there that nobody asked for.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{Booking, Seen, Violation};
use crate::history::{Deed, Made, Operation, Outcome, Slot};

/// All operations that were sent with one key of one subject: they are one request.
type Keyed<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Operation>>;

pub fn check(seen: &Seen, violations: &mut Vec<Violation>) {
    let rows: HashMap<Uuid, &Booking> = seen.bookings.iter().map(|row| (row.id, row)).collect();
    let mut keyed = Keyed::new();
    for operation in &seen.operations {
        if let Some(key) = &operation.key {
            let same = keyed.entry((&operation.subject, key)).or_default();
            same.push(operation);
        }
        if let Some(made) = operation.made() {
            acknowledged(operation, made, &rows, violations);
        }
    }
    receipts(seen, &keyed, violations);
    once_each(seen, violations);
    asked_for(seen, &keyed, violations);
    explained(seen, violations);
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
    if operation.deed.takes().is_some_and(|slot| slot != row.slot) {
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

/// One key, one answer, one receipt; and none where all that was said is no.
fn receipts(seen: &Seen, keyed: &Keyed<'_>, violations: &mut Vec<Violation>) {
    let kept: HashMap<(&str, &str), Uuid> = seen
        .receipts
        .iter()
        .map(|receipt| ((&*receipt.subject, &*receipt.key), receipt.booking))
        .collect();
    for (key, operations) in keyed {
        let mut answers = operations.iter().filter_map(|operation| operation.made());
        let receipt = kept.get(key).copied();
        if let Some(first) = answers.next() {
            if answers.any(|other| other != first) {
                violations.push(Violation::AnsweredTwice {
                    key: key.1.to_owned(),
                    booking: first.booking,
                });
            }
            if receipt != Some(first.booking) {
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
        let (Some(change), Some(_)) = (operation.deed.changes(), operation.made()) else {
            continue;
        };
        let Some(first) = changed.insert(change, operation) else {
            continue;
        };
        // The same request, sent again.
        if first.key.is_none() || first.key != operation.key {
            violations.push(Violation::ChangedTwice {
                booking: change.0,
                version: change.1,
                deeds: (first.deed.name(), operation.deed.name()),
            });
        }
    }
}

/// Every booking was asked for: by an acknowledged operation or by one whose outcome is unknown.
fn asked_for(seen: &Seen, keyed: &Keyed<'_>, violations: &mut Vec<Violation>) {
    let told: HashSet<Uuid> = seen
        .operations
        .iter()
        .filter(|operation| operation.deed.takes().is_some())
        .filter_map(|operation| operation.made().map(|made| made.booking))
        .collect();
    let by_receipt: HashMap<Uuid, (&str, &str)> = seen
        .receipts
        .iter()
        .map(|receipt| (receipt.booking, (&*receipt.subject, &*receipt.key)))
        .collect();
    let mut unknown_holds: HashMap<(&str, Slot), u32> = HashMap::new();
    for operation in &seen.operations {
        if let (Deed::Hold { slot }, Outcome::Unknown) = (&operation.deed, &operation.outcome) {
            *unknown_holds
                .entry((&operation.subject, *slot))
                .or_default() += operation.tries;
        }
    }
    for row in &seen.bookings {
        if told.contains(&row.id) {
            continue;
        }
        let by_key = by_receipt.get(&row.id).and_then(|key| keyed.get(key));
        let by_key = by_key.is_some_and(|operations| {
            let mut operations = operations.iter();
            operations.any(|operation| {
                operation.may_have_happened() && operation.deed.takes() == Some(row.slot)
            })
        });
        if by_key {
            continue;
        }
        match unknown_holds.get_mut(&(&*row.subject, row.slot)) {
            Some(holds) if *holds > 0 => *holds -= 1,
            Some(_) | None => violations.push(Violation::Unasked {
                booking: row.id,
                subject: row.subject.clone(),
                slot: row.slot,
            }),
        }
    }
}

/// The status that each booking ended with was somebody's doing.
fn explained(seen: &Seen, violations: &mut Vec<Violation>) {
    let mut doings: HashMap<Uuid, Vec<&'static str>> = HashMap::new();
    for operation in seen.operations.iter().filter(|one| one.may_have_happened()) {
        if let Some((booking, _)) = operation.deed.changes() {
            doings
                .entry(booking)
                .or_default()
                .push(operation.deed.name());
        }
    }
    for row in &seen.bookings {
        let doings = doings.get(&row.id).map_or(&[][..], Vec::as_slice);
        let is_explained = match row.status.as_str() {
            "cancelled" => doings.contains(&"cancel"),
            "rescheduled" => doings.contains(&"reschedule"),
            "confirmed" => row.version == 1 || doings.contains(&"confirm"),
            "held" => row.version == 1,
            // By the clock.
            "expired" => true,
            _ => false,
        };
        if !is_explained {
            violations.push(Violation::Unexplained {
                booking: row.id,
                status: row.status.clone(),
                version: row.version,
            });
        }
    }
}
