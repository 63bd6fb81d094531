//! What is free: answered from the bitmap, kept up to date by events and by the clock.

mod answer;
mod bitmap;
mod next_slot;
mod updates;

use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response::{self, Response};
use spin_sdk::http::Method;

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    response::of(route(Request::new(request)).await)
}

async fn route(request: Request) -> Result<Response, Problem> {
    match (&request.path()[..], request.method()) {
        (["v1", "practitioners", id, "availability"], Method::GET) => {
            answer::get(&request, request::id(id)?).await
        }
        (["v1", "practitioners", _, "availability"], _) => Err(Problem::method_not_allowed("GET")),
        _ => Err(Problem::not_found()),
    }
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl events::Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        updates::handle(&delivery).await
    }
}
