//! Bookings, holds and patients.

use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};

#[spin_sdk::http_service]
async fn serve(request: spin_sdk::http::Request) -> Response {
    response::of(route(Request::new(request)).await)
}

async fn route(_request: Request) -> Result<Response, Problem> {
    let db = praxis_platform::database::Database::open().await?;
    let n = db.execute("select 1", vec![]).await?;
    Err(Problem::bad_request(n.to_string()))
}
