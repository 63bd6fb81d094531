//! The statements that change bookings, and what the database itself refuses, on a real PostgreSQL with
//! nothing else around: what is asserted here holds whoever runs the statements.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreement;
mod alignment;
mod at_once;
mod crossing;
mod dice;
mod erasure;
mod fence;
mod history;
mod holds;
mod meeting;
mod offers;
mod people;
mod places;
mod practice;
mod storm;
mod templates;
