//! Everybody who is to be told is told once: by the ledger, and by the mail server.

use std::collections::{HashMap, HashSet};

use super::{Delivery, Seen, Violation};

/// Who is told of a booking.
const AUDIENCES: [&str; 2] = ["patient", "practitioner"];

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
    let told = |kind: &str| {
        matches!(
            kind,
            "BookingCreated" | "BookingCancelled" | "BookingRescheduled"
        )
    };
    for event in seen.saved.iter().filter(|event| told(&event.kind)) {
        let id = event.id.to_string();
        for audience in AUDIENCES {
            let status = ledger.get(&(&*id, audience)).map(|entry| &*entry.status);
            if status != Some("sent") {
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
    let strangers: HashSet<&str> = copies
        .into_keys()
        .filter(|message| !known.contains(message))
        .collect();
    violations.extend(strangers.into_iter().map(|message| Violation::StrangeMail {
        message: message.to_owned(),
    }));
    again
}
