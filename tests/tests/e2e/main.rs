//! End to end: what a person or a program outside can see, with every service real.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod anyone;
mod audit;
mod daylight;
mod explain;
mod extremes;
mod faults;
mod flow;
mod history;
mod holds;
mod imports;
mod input;
mod ledger;
mod live;
mod operator;
mod page;
mod person;
mod places;
mod race;
mod rebuild;
mod refill;
mod reminders;
mod rules;
mod schedules;
mod search;
mod suppressed;
mod templates;
mod traces;
mod trips;
mod waitlist;
mod wishes;
