//! The statements that change bookings, and what the database itself refuses, on a real PostgreSQL with
//! nothing else around: what is asserted here holds whoever runs the statements.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alignment;
mod crossing;
mod history;
mod holds;
mod offers;
mod practice;
mod storm;
