//! Documents by their ids.

use std::time::Duration;

use opensearch::{OpenSearch, SearchParts};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::{Document, Error, Schema};
use super::layout::{self, ID};
use super::{READ_TIMEOUT_MS, answer};

#[derive(Deserialize)]
struct Answer {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_source")]
    source: Json,
}

pub async fn scan(
    client: &OpenSearch,
    index: &str,
    schema: &Schema,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Document>, Error> {
    let mut body = json!({
        "query": { "match_all": {} },
        "sort": [{ ID: "asc" }],
        "size": limit,
        "track_total_hits": false,
    });
    if let Some(after) = after {
        body["search_after"] = json!([after]);
    }
    let response = client
        .search(SearchParts::Index(&[index]))
        // Half an answer would look like a whole one.
        .allow_partial_search_results(false)
        .request_timeout(Duration::from_millis(READ_TIMEOUT_MS))
        .body(body)
        .send()
        .await
        .map_err(Error::unavailable)?;
    let answer: Answer =
        serde_json::from_value(answer(response).await?).map_err(Error::unavailable)?;
    let documents = answer.hits.hits.into_iter().map(|hit| Document {
        content: layout::content(schema, &hit.source),
        id: hit.id,
    });
    Ok(documents.collect())
}
