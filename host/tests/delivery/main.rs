//! The channels of `capabilities::delivery`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/tools.rs"]
mod tools;

#[path = "../spin_contract/certificates.rs"]
mod certificates;
mod mail;

mod amazon;
mod catcher;
mod feedback;
mod rates;
mod smtp;
