//! Components at work: compiled, linked with what they are granted, instantiated, limited.

pub mod application;
pub mod code;
pub mod component;
pub mod composition;
mod console;
pub mod consumer;
pub mod deployment;
pub mod engine;
pub mod files;
pub mod fitter;
pub mod grants;
pub mod life;
pub mod room;
mod shelf;
mod spare;
pub mod subscriber;
pub mod turns;
