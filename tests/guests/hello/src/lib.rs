//! The least that a component can do: measured, and served beside others that misbehave.

use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn serve(_: Request) -> &'static str {
    "Hello"
}
