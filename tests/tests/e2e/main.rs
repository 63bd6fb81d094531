//! End to end: what a person or a program outside can see, with every service real.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod anyone;
mod daylight;
mod faults;
mod flow;
mod history;
mod holds;
mod input;
mod ledger;
mod page;
mod race;
mod rules;
mod waitlist;
mod wishes;
