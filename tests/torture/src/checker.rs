//! What must hold when all is over: a pure function over histories and what was read from the stores.

mod erasure;
mod fates;
mod instants;
mod models;
mod notices;
mod origins;
mod seen;
mod stream;
mod turns;
mod violation;
mod waitlist;

use std::collections::HashMap;

use serde::Serialize;

pub use seen::{
    Booking, Change, Delivery, Event, Facts, Mail, Place, Profile, Receipt, Seen, Standing, Wait,
};
pub use violation::Violation;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub bookings: usize,
    pub events: usize,
    /// Events that were published more than once: allowed, since nobody has them twice in effect.
    pub published_again: usize,
    pub mails: usize,
    /// Mails that were sent again under their Message-ID, each known to the ledger: allowed.
    pub mails_again: usize,
    /// Of the waitlist.
    pub entries: usize,
    pub offers: usize,
    /// Heartbeats that kept a hold for longer.
    pub extended: usize,
    /// Who was erased, and not acted for afterwards.
    pub erased: usize,
    pub violations: Vec<Violation>,
}

/// Holds everything against everything.
pub fn check(seen: &Seen) -> Findings {
    let mut violations = Vec::new();
    fates::check(seen, &mut violations);
    origins::check(seen, &mut violations);
    instants::check(seen, &mut violations);
    stream::check(seen, &mut violations);
    models::check(seen, &mut violations);
    let mails_again = notices::check(seen, &mut violations);
    let (entries, offers) = waitlist::check(seen, &mut violations);
    let erased = erasure::check(seen, &mut violations);
    ends(seen, &mut violations);
    let extended = seen.history.iter();
    let extended = extended
        .filter(|change| change.change == "extended")
        .count();
    let mut copies: HashMap<_, usize> = HashMap::new();
    for event in &seen.published {
        *copies.entry(event.id).or_default() += 1;
    }
    Findings {
        bookings: seen.bookings.len(),
        events: seen.saved.len(),
        published_again: seen.published.len() - copies.len(),
        mails: seen.mails.len(),
        mails_again,
        entries,
        offers,
        extended,
        erased,
        violations,
    }
}

/// In how many ways bitmap and search differ from what they should be.
pub fn models_differ(seen: &Seen) -> usize {
    let mut violations = Vec::new();
    models::check(seen, &mut violations);
    violations.len()
}

/// Nothing is left to do, and all that was to happen did in time.
fn ends(seen: &Seen, violations: &mut Vec<Violation>) {
    if seen.dead_letters > 0 {
        let events = seen.dead_letters;
        violations.push(Violation::GivenUp { events });
    }
    let overdue = seen.overdue.iter().cloned();
    violations.extend(overdue.map(|what| Violation::Overdue { what }));
}

#[cfg(test)]
mod tests;
