//! What OpenSearch answers.

use opensearch::http::response::Response;
use serde_json::Value as Json;

use super::super::Error;

/// The body of a good answer.
pub async fn answer(response: Response) -> Result<Json, Error> {
    let response = sound(response).await?;
    response.json().await.map_err(Error::unavailable)
}

/// A good answer.
pub async fn sound(response: Response) -> Result<Response, Error> {
    let status = response.status_code();
    if status.is_success() {
        return Ok(response);
    }
    let body: Json = response.json().await.map_err(Error::unavailable)?;
    let error = &body["error"];
    Err(Error::unavailable(format!(
        "OpenSearch answered {}: {} {}",
        status.as_u16(),
        error["type"].as_str().unwrap_or("no type"),
        error["reason"].as_str().unwrap_or("no reason"),
    )))
}
