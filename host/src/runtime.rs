//! Components at work: compiled, linked with what they are granted, instantiated, limited.

pub mod application;
pub mod component;
mod console;
pub mod consumer;
pub mod engine;
pub mod subscriber;
