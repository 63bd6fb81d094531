//! What nobody would write, and somebody sends: manifests, routes and grants of any bytes.
//!
//! 256 cases of each are a part of the tests. For longer:
//! `PROPTEST_CASES=1000000 cargo test --release -p praxis --test fuzz`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grants;
mod manifests;
mod routes;
