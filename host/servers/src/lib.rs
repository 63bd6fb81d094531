//! Real servers as child processes: PostgreSQL and Redis for `praxis up`, and these and what else
//! the tests talk to. Linux only; everything listens on 127.0.0.1 alone.
//!
//! A server belongs to a folder, which holds its data, its `log`, its `pid` and a `lock`. Two
//! processes cannot run the same folder; a server that a killed process left behind is stopped
//! before the folder is used again.

pub mod moto;
pub mod opensearch;
pub mod postgres;
pub mod redis;
pub mod smtp;

mod account;
mod orphan;
mod process;
mod server;

pub use server::Server;

/// What a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was acknowledged.
    Durable,
    /// Everything: for tests, where speed matters more.
    Scratch,
    /// Everything; but a kill of the server alone takes nothing that was acknowledged. Made anew at
    /// the start, as `Scratch` is.
    Killable,
}
