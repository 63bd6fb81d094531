//! Everybody who is to be told is told once: by the ledger, and by the mail server.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Delivery, Mail, Seen, Violation};

/// Who is told of a booking.
const AUDIENCES: [&str; 2] = [PATIENT, "practitioner"];
const PATIENT: &str = "patient";

/// Says how many mails were sent again, as the ledger knows.
pub fn check(seen: &Seen, violations: &mut Vec<Violation>) -> usize {
    let mut ledger: HashMap<(&str, &str), &Delivery> = HashMap::new();
    for delivery in &seen.deliveries {
        let entry = (&*delivery.event, &*delivery.audience);
        if ledger.insert(entry, delivery).is_some() {
            violations.push(Violation::ToldTwice {
                event: delivery.event.clone(),
                audience: delivery.audience.clone(),
                copies: 2,
                attempts: 1,
            });
        }
    }
    told(seen, &ledger, violations);
    sent(seen, violations)
}

fn told(seen: &Seen, ledger: &HashMap<(&str, &str), &Delivery>, violations: &mut Vec<Violation>) {
    let erased: HashSet<Uuid> = erased_bookings(seen);
    for event in &seen.saved {
        let concerned: &[&str] = match &*event.kind {
            "BookingCreated" | "BookingCancelled" | "BookingRescheduled" => &AUDIENCES,
            // Until it is taken, it is between the patient and us.
            "HoldOffered" => &AUDIENCES[..1],
            _ => &[],
        };
        let id = event.id.to_string();
        let booking = event.facts.as_ref().map(|facts| facts.booking);
        let is_erased = booking.is_some_and(|booking| erased.contains(&booking));
        for audience in AUDIENCES {
            let status = ledger.get(&(&*id, audience)).map(|entry| &*entry.status);
            let is_well = match (concerned.contains(&audience), status) {
                (true, Some("sent")) => true,
                // They were forgotten before they could be told.
                (true, Some("no-address")) => is_erased && audience == PATIENT,
                (true, _) => false,
                (false, None) => true,
                (false, Some(_)) => {
                    violations.push(Violation::Overheard {
                        event: event.id,
                        kind: event.kind.clone(),
                        audience,
                    });
                    true
                }
            };
            if !is_well {
                violations.push(Violation::Untold {
                    event: event.id,
                    kind: event.kind.clone(),
                    audience,
                    status: status.unwrap_or("no entry").to_owned(),
                });
            }
        }
    }
}

/// The bookings of those who were erased.
fn erased_bookings(seen: &Seen) -> HashSet<Uuid> {
    let erasures = seen.erasures();
    let rows = seen.bookings.iter();
    rows.filter(|row| erasures.contains_key(&*row.subject))
        .map(|row| row.id)
        .collect()
}

/// A mail went out at least once, and at most as often as the ledger has it claimed.
fn sent(seen: &Seen, violations: &mut Vec<Violation>) -> usize {
    let mut copies: HashMap<&str, u32> = HashMap::new();
    for mail in &seen.mails {
        *copies.entry(&mail.message).or_default() += 1;
    }
    let mut known = HashSet::new();
    let mut again = 0;
    for delivery in seen
        .deliveries
        .iter()
        .filter(|entry| entry.status == "sent")
    {
        let message = delivery.message.as_deref().unwrap_or_default();
        known.insert(message);
        let copies = copies.get(message).copied().unwrap_or_default();
        if copies == 0 {
            violations.push(Violation::NeverSent {
                event: delivery.event.clone(),
                audience: delivery.audience.clone(),
            });
        } else if copies > delivery.attempts {
            violations.push(Violation::ToldTwice {
                event: delivery.event.clone(),
                audience: delivery.audience.clone(),
                copies,
                attempts: delivery.attempts,
            });
        } else {
            again += copies as usize - 1;
        }
    }
    // A mail to somebody who was erased before the ledger had it as sent.
    let erasures = seen.erasures();
    let erased = |mail: &Mail| {
        let person = mail.to.split('@').next().unwrap_or_default();
        erasures.contains_key(person)
    };
    let strangers: HashSet<&str> = seen
        .mails
        .iter()
        .filter(|mail| !known.contains(&*mail.message) && !erased(mail))
        .map(|mail| &*mail.message)
        .collect();
    violations.extend(strangers.into_iter().map(|message| Violation::StrangeMail {
        message: message.to_owned(),
    }));
    again
}
