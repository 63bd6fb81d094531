//! Finding practitioners: the search, and the index that it asks.

mod audit;
mod documents;
mod facets;
mod find;
mod profile;
mod rebuild;
mod specialties;

use praxis_domain::event;
use praxis_platform::events::{BatchGuest, Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::Method;

/// The index and its fields: `[application.tool.praxis.indexes.practitioners]`.
const INDEX: &str = "practitioners";

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    response::of(route(Request::new(request)).await)
}

async fn route(request: Request) -> Result<Response, Problem> {
    match (&request.path()[..], request.method()) {
        (["v1", "practitioners", "search"], Method::GET) => find::get(&request).await,
        (["v1", "specialties"], Method::GET) => specialties::get(&request),
        (["v1", "ops", "audits", "search"], _) => audit::answer(&request).await,
        (["v1", "ops", "rebuilds", "search", rest @ ..], _) => {
            rebuild::answer(&request, rest).await
        }
        (["v1", "practitioners", "search"] | ["v1", "specialties"], _) => {
            Err(Problem::method_not_allowed("GET"))
        }
        _ => Err(Problem::not_found()),
    }
}

struct Consumer;
praxis_platform::export_batch_consumer!(Consumer);

impl BatchGuest for Consumer {
    async fn handle_batch(deliveries: Vec<Delivery>) -> Vec<Result<(), Failure>> {
        match &deliveries[..] {
            // A timer comes alone.
            [one] if (&one.topic[..], &one.event.kind[..]) == (event::CRON, event::AUDIT_DUE) => {
                vec![audit::tick(one).await]
            }
            deliveries => documents::handle(deliveries).await,
        }
    }
}
