//! The contract of `capabilities::index::Index`: one suite, every adapter.

#[path = "support/tools.rs"]
mod tools;

#[path = "index_contract/shops.rs"]
mod shops;
#[path = "index_contract/suite.rs"]
mod suite;

#[path = "index_contract/agreement.rs"]
mod agreement;
#[path = "index_contract/on_embedded.rs"]
mod on_embedded;
#[path = "index_contract/on_opensearch.rs"]
mod on_opensearch;
