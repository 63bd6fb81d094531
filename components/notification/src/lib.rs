//! Telling patients and practitioners what happened to their bookings, in their tenant's words.

mod feedback;
mod ledger;
mod message;
mod ops;
mod people;
mod reminders;
mod suppressed;
mod tell;
mod templates;
mod tenants;

use praxis_domain::event;
use praxis_platform::events::{Delivery, Failure, Guest};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::Method;

use crate::reminders::{announce, opt_out};

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    response::of(route(Request::new(request)).await)
}

async fn route(request: Request) -> Result<Response, Problem> {
    let path: Vec<String> = request.path().into_iter().map(str::to_owned).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (&path[..], request.method()) {
        (["v1", "ops", "deliveries"], Method::GET) => ops::get(&request).await,
        (["v1", "ops", "deliveries"], _) => Err(Problem::method_not_allowed("GET")),
        (["v1", "tenants", tenant], Method::GET) => tenants::get(&request, tenant).await,
        (["v1", "tenants", tenant], Method::PUT) => tenants::put(request, tenant).await,
        (["v1", "tenants", _], _) => Err(Problem::method_not_allowed("GET, PUT")),
        (["v1", "tenants", tenant, "templates", path @ ..], _) => {
            templates::routes::route(request, tenant, path).await
        }

        (["v1", "ops", "suppressions:lift"], Method::POST) => suppressed::lift(request).await,
        (["v1", "ops", "suppressions:lift"], _) => Err(Problem::method_not_allowed("POST")),

        (["v1", "links", "opt-out", token], _) => opt_out::route(&request, token).await,

        (["v1", "deliveries", "sns"], Method::POST) => feedback::post(request).await,
        (["v1", "deliveries", "sns"], _) => Err(Problem::method_not_allowed("POST")),

        _ => Err(Problem::not_found()),
    }
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        match (&delivery.topic[..], &delivery.event.kind[..]) {
            (event::CRON, event::REMINDERS_DUE) => announce::announce().await,
            _ => tell::handle(delivery).await,
        }
    }
}
