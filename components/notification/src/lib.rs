//! Telling patients and practitioners what happened to their bookings.

mod ledger;
mod message;
mod ops;
mod people;
mod tell;
mod templates;

use praxis_platform::events::{Delivery, Failure, Guest};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::Method;

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    response::of(route(Request::new(request)).await)
}

async fn route(request: Request) -> Result<Response, Problem> {
    match (&request.path()[..], request.method()) {
        (["v1", "ops", "deliveries"], Method::GET) => ops::get(&request).await,
        (["v1", "ops", "deliveries"], _) => Err(Problem::method_not_allowed("GET")),
        _ => Err(Problem::not_found()),
    }
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        tell::handle(delivery).await
    }
}
