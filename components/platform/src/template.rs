//! The words of messages: `praxis:template`.

pub use crate::imports::praxis::template::sandbox::{Error, Template, compile, keep, render};
pub use crate::imports::praxis::template::types::{Audience, Channel, Message, Mistake, Request};
