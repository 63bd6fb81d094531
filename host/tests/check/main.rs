//! `praxis check`, and what it says of everything that is wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod application;
mod code;
mod compatibility;
mod dependencies;
mod report;
