//! What is free: answered from the bitmap, kept up to date by events and by the clock.

mod answer;
mod audit;
mod bitmap;
mod explain;
mod load;
mod next_slot;
mod rebuild;
mod stream;
mod updates;

use praxis_platform::events::{self, Delivery, Failure};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response;
use spin_sdk::http::{BoxBody, Method, box_body};

/// Most answers are complete when they are given; a stream goes on.
type Answer = http::Response<BoxBody>;

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Answer {
    let answer = route(Request::new(request)).await;
    answer.unwrap_or_else(|problem| response::of(Err(problem)).map(box_body))
}

async fn route(request: Request) -> Result<Answer, Problem> {
    let complete = match (&request.path()[..], request.method()) {
        (["v1", "practitioners", id, "availability"], Method::GET) => {
            answer::get(&request, request::id(id)?).await
        }
        (["v1", "practitioners", id, "availability", "explain"], Method::GET) => {
            explain::get(&request, request::id(id)?).await
        }
        (["v1", "practitioners", id, "availability", "stream"], Method::GET) => {
            return stream::get(&request, request::id(id)?).await;
        }
        (["v1", "ops", "audits", "availability"], _) => audit::answer(&request).await,
        (["v1", "ops", "rebuilds", "availability", rest @ ..], _) => {
            rebuild::answer(&request, rest).await
        }
        (
            ["v1", "practitioners", _, "availability"]
            | [
                "v1",
                "practitioners",
                _,
                "availability",
                "explain" | "stream",
            ],
            _,
        ) => Err(Problem::method_not_allowed("GET")),
        _ => Err(Problem::not_found()),
    };
    complete.map(|response| response.map(box_body))
}

struct Consumer;
praxis_platform::export_consumer!(Consumer);

impl events::Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        updates::handle(&delivery).await
    }
}
