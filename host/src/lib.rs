//! The host: it performs what components decide, and knows none of their words.

pub mod binary;
pub mod capabilities;
pub mod cli;
pub mod clock;
pub mod config;
pub mod manifest;
mod private;
pub mod runtime;
pub mod triggers;
