//! The channels of `capabilities::delivery`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/tools.rs"]
mod tools;

mod mail;

mod catcher;
mod smtp;
