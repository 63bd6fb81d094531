//! What the end-to-end tests stand on: a world of real servers with a real host in it, and a
//! client that speaks to it as anybody could. Nothing of Praxis is linked in here.

pub mod api;
pub mod brokers;
pub mod calendars;
pub mod database;
pub mod directory;
pub mod events;
pub mod eventually;
pub mod gate;
pub mod host;
pub mod mail;
pub mod place;
pub mod tap;
pub mod wait;
pub mod world;

pub use api::{Answer, Api};
pub use directory::Practitioner;
pub use eventually::eventually;
pub use world::{Services, World};
