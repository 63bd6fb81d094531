//! Components at work: compiled, linked with what they are granted, instantiated, limited.

pub mod capability;
pub mod consumer;
