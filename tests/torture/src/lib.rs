//! The torture: clients book from all sides while hosts are killed, at random and at named points,
//! and servers and connections come and go. Then every promise is held against histories and stores.
//! Nothing of Praxis is linked in here: hosts are child processes, spoken to over HTTP.

pub mod checker;
pub mod history;
pub mod mutation;
pub mod report;
pub mod run;

mod clients;
mod closing;
mod fleet;
mod index;
mod journal;
mod offsets;
mod place;
mod post;
mod proxy;
mod read;
mod script;
mod settle;
mod staff;
mod town;
mod world;
