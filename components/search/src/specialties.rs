//! `GET /v1/specialties`: the fields of practice that a search may name.

use praxis_domain::practitioner::Specialty;
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use serde_json::{Value, json};
use spin_sdk::http::StatusCode;

/// `{ "items": [ { "specialty": "cardiology", "label": "Cardiology" } ] }`, by label.
pub fn get(request: &Request) -> Result<Response, Problem> {
    request.query(&[])?;
    let items: Vec<Value> = Specialty::all()
        .map(|specialty| json!({ "specialty": specialty.key(), "label": specialty.label() }))
        .collect();
    Ok(response::json(StatusCode::OK, &json!({ "items": items })))
}
