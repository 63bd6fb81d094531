//! Whose words say a message: a tenant's own, version by version, or the built-in ones.

mod choice;
mod diff;
pub mod failures;
mod preview;
mod publish;
mod renderer;
pub mod routes;
mod state;
mod test_send;
mod versions;
mod words;

pub use choice::Choice;
pub use words::{Said, Telling, Words, find, odd};
