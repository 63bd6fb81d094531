//! Bookings, holds, patients and the waitlist: who takes which slot.

mod actor;
mod anyone;
mod at_once;
mod book;
mod caller;
mod change;
mod history;
mod holds;
mod links;
mod list;
mod offer;
mod patients;
mod precheck;
mod record;
mod refusal;
mod sql;
mod store;
mod waitlist;

use praxis_domain::event;
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
    let path: Vec<String> = request.path().into_iter().map(str::to_owned).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (&path[..], request.method()) {
        (["v1", "bookings"], Method::POST) => book::book(request).await,
        (["v1", "bookings"], Method::GET) => list::list(&request).await,
        (["v1", "bookings"], _) => Err(Problem::method_not_allowed("GET, POST")),

        (["v1", "bookings", id], Method::GET) => list::get(&request, request::id(id)?).await,
        (["v1", "bookings", _], _) => Err(Problem::method_not_allowed("GET")),

        (["v1", "bookings", id, "cancel"], Method::POST) => {
            change::cancel(&request, request::id(id)?).await
        }
        (["v1", "bookings", id, "reschedule"], Method::POST) => {
            change::reschedule(request, request::id(id)?).await
        }
        (["v1", "bookings", _, "cancel" | "reschedule"], _) => {
            Err(Problem::method_not_allowed("POST"))
        }

        (["v1", "bookings", id, "history"], Method::GET) => {
            history::get(&request, request::id(id)?).await
        }
        (["v1", "bookings", _, "history"], _) => Err(Problem::method_not_allowed("GET")),

        (["v1", "holds"], Method::POST) => book::hold(request).await,
        (["v1", "holds"], _) => Err(Problem::method_not_allowed("POST")),

        (["v1", "holds", id], Method::DELETE) => holds::release(&request, request::id(id)?).await,
        (["v1", "holds", _], _) => Err(Problem::method_not_allowed("DELETE")),

        (["v1", "holds", id, "heartbeat"], Method::POST) => {
            holds::heartbeat(&request, request::id(id)?).await
        }
        (["v1", "holds", _, "heartbeat"], _) => Err(Problem::method_not_allowed("POST")),

        (["v1", "links", "cancel", token], _) => links::route(&request, token).await,

        (["v1", "waitlist"], Method::POST) => waitlist::add(request).await,
        (["v1", "waitlist"], Method::GET) => waitlist::list(&request).await,
        (["v1", "waitlist"], _) => Err(Problem::method_not_allowed("GET, POST")),

        (["v1", "waitlist", id], Method::DELETE) => {
            waitlist::withdraw(&request, request::id(id)?).await
        }
        (["v1", "waitlist", _], _) => Err(Problem::method_not_allowed("DELETE")),

        (["v1", "patients", "me"], Method::GET) => patients::get(&request).await,
        (["v1", "patients", "me"], Method::PUT) => patients::put(request).await,
        (["v1", "patients", "me"], Method::DELETE) => patients::erase(&request).await,
        (["v1", "patients", "me"], _) => Err(Problem::method_not_allowed("GET, PUT, DELETE")),

        _ => Err(Problem::not_found()),
    }
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl events::Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        match (delivery.topic.as_str(), delivery.event.kind.as_str()) {
            (event::CRON, event::HOLDS_DUE) => holds::expire(&delivery).await,
            (event::BOOKING_EVENTS, _) => waitlist::hear(&delivery).await,
            _ => Err(events::unexpected(&delivery)),
        }
    }
}
