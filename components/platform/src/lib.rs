//! What the components see of the host: the guest side of `wit/`, generated once, and the few
//! things that every component needs around it.
//!
//! A component that answers requests and handles events is written like this:
//!
//! ```ignore
//! use praxis_platform::events::{Delivery, Failure};
//! use praxis_platform::problem::Problem;
//! use praxis_platform::request::Request;
//! use praxis_platform::response::{self, Response};
//!
//! #[spin_sdk::http_service]
//! async fn serve(request: spin_sdk::http::Request) -> Response {
//!     response::of(route(Request::new(request)).await)
//! }
//!
//! async fn route(request: Request) -> Result<Response, Problem> {
//!     match (&request.path()[..], request.method()) {
//!         (["v1", "things", id], Method::GET) => things::get(&request, id).await,
//!         (["v1", "things", _], _) => Err(Problem::method_not_allowed("GET")),
//!         _ => Err(Problem::not_found()),
//!     }
//! }
//!
//! struct Consumer;
//! praxis_platform::export_consumer!(Consumer);
//!
//! impl praxis_platform::events::Guest for Consumer {
//!     async fn handle(delivery: Delivery) -> Result<(), Failure> { … }
//! }
//! ```
//!
//! One that handles many events with one call writes `export_batch_consumer` and
//! `events::BatchGuest` instead. A component that handles no events leaves the second half out. One that answers no requests
//! leaves out the first. What it does not use of `events`, `index`, `delivery`, `template` and `metrics` it does not
//! import.

pub mod audit;
pub mod auth;
pub mod cache;
pub mod clock;
pub mod database;
pub mod days;
pub mod delivery;
pub mod events;
pub mod index;
pub mod links;
pub mod metrics;
pub mod problem;
pub mod rebuild;
pub mod request;
pub mod response;
pub mod snapshot;
pub mod template;
pub mod zones;

pub use batch_consumer::export_batch_consumer;
pub use consumer::export_consumer;

/// Everything of ours that a component may import.
mod imports {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../wit/events", "../../wit/index", "../../wit/delivery", "../../wit/template", "../../wit/metrics", "../../wit/worlds"],
        world: "praxis:worlds/imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// The export of a component that handles events, over the same types.
#[doc(hidden)]
pub mod consumer {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../wit/events", "../../wit/index", "../../wit/delivery", "../../wit/template", "../../wit/metrics", "../../wit/worlds"],
        world: "praxis:worlds/event-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        with: { "praxis:events/types@0.1.0": crate::imports::praxis::events::types },
        pub_export_macro: true,
        export_macro_name: "export_consumer",
        default_bindings_module: "praxis_platform::consumer",
    });
}

/// The export of a component that handles many events with one call, over the same types.
#[doc(hidden)]
pub mod batch_consumer {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../wit/events", "../../wit/index", "../../wit/delivery", "../../wit/template", "../../wit/metrics", "../../wit/worlds"],
        world: "praxis:worlds/event-batch-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        with: { "praxis:events/types@0.1.0": crate::imports::praxis::events::types },
        pub_export_macro: true,
        export_macro_name: "export_batch_consumer",
        default_bindings_module: "praxis_platform::batch_consumer",
    });
}
