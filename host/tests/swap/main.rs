//! A component is swapped while it works.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod application;
mod events;
mod inside;
mod operations;
mod refusals;
mod requests;
mod reused;
