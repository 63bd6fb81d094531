//! The contract of `capabilities::index::Index`: one suite, every adapter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/tools.rs"]
mod tools;

#[path = "index_contract/directory.rs"]
mod directory;
#[path = "index_contract/generations.rs"]
mod generations;
#[path = "index_contract/names.rs"]
mod names;
#[path = "index_contract/order.rs"]
mod order;
#[path = "index_contract/refusals.rs"]
mod refusals;
#[path = "index_contract/shops.rs"]
mod shops;
#[path = "index_contract/suite.rs"]
mod suite;
#[path = "index_contract/whole.rs"]
mod whole;

#[path = "index_contract/agreement.rs"]
mod agreement;
#[path = "index_contract/late.rs"]
mod late;
#[path = "index_contract/on_embedded.rs"]
mod on_embedded;
#[path = "index_contract/on_opensearch.rs"]
mod on_opensearch;
#[path = "index_contract/restarts.rs"]
mod restarts;
