//! The directory: practitioners, their hours, and the tenants that they belong to.

mod directory;
mod import;
mod places;
mod profile;
mod stranded;
mod zones;

use praxis_domain::event;
use praxis_domain::practitioner::Editor;
use praxis_platform::auth::{Claims, Role};
use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response;
use spin_sdk::http::{BoxBody, Method, box_body};

/// Most answers are complete when they are given; that of an import grows.
type Response = http::Response<BoxBody>;

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    let request = Request::new(request);
    let answer = match (&request.path()[..], request.method()) {
        (["v1", "practitioners:import"], Method::POST) => return import::post(request).await,
        (["v1", "practitioners:import"], _) => Err(Problem::method_not_allowed("POST")),
        (["v1", "practitioners", id], Method::GET) => profile::get(id).await,
        (["v1", "practitioners", id], Method::PUT) => {
            let id = (*id).to_owned();
            profile::put(request, &id).await
        }
        (["v1", "practitioners", id], Method::DELETE) => profile::delete(&request, id).await,
        (["v1", "practitioners", id, "stranded-bookings"], Method::GET) => {
            stranded::get(&request, id).await
        }
        (["v1", "practitioners", _, "stranded-bookings"], _) => {
            Err(Problem::method_not_allowed("GET"))
        }
        (["v1", "practitioners", _], _) => Err(Problem::method_not_allowed("GET, PUT, DELETE")),
        _ => Err(Problem::not_found()),
    };
    response::of(answer).map(box_body)
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl events::Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        match (delivery.topic.as_str(), delivery.event.kind.as_str()) {
            (event::CRON, event::ZONES_DUE) => zones::refresh().await,
            _ => Err(events::unexpected(&delivery)),
        }
    }
}

/// Who asks to change the directory: an operator, or staff of a tenant.
fn editor(claims: &Claims) -> Result<Editor, Problem> {
    claims.require(&[Role::Staff, Role::Operator])?;
    if claims.is(Role::Operator) {
        return Ok(Editor::Operator);
    }
    match claims.staff_of() {
        Some(tenant) => Ok(Editor::Staff {
            tenant: tenant.to_owned(),
        }),
        None => Err(Problem::forbidden("the token names no tenant")),
    }
}
