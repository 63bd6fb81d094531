//! Telling people: `praxis:delivery`.

pub use crate::imports::praxis::delivery::email;
pub use crate::imports::praxis::delivery::feedback;
pub use crate::imports::praxis::delivery::push;
pub use crate::imports::praxis::delivery::sms;
pub use crate::imports::praxis::delivery::types::{Error, Receipt};
