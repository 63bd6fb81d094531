//! What sets components to work: requests, events, the clock; and the relay that sends what they saved.

pub mod cron;
pub mod http;
pub mod kafka;
pub mod relay;
