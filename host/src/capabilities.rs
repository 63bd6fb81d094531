//! What the host does for components: one room each, the products inside.

pub mod delivery;
pub mod events;
pub mod index;
pub mod key_value;
pub mod outbound;
pub mod postgres;
pub mod redis;
pub mod variables;
