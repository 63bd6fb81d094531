//! Reminders: planned with a booking, announced when their time has come, told as any other event is.

pub mod announce;
pub mod due;
pub mod opt_out;
pub mod plan;
