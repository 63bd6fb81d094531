//! What sets components to work: requests, events, the clock; and the relay that sends what they saved.

mod backoff;
pub mod cron;
pub mod http;
pub mod kafka;
mod leader;
pub mod redis;
pub mod relay;
