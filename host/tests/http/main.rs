//! The HTTP server, over TCP: routing, limits, broken requests, and components that misbehave
//! beside one that does not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod framing;
mod host;
mod http_2;
mod isolation;
mod limits;
mod memories;
mod own;
mod routing;
mod wire;
