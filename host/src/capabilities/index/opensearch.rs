//! The index in OpenSearch.

mod facets;
mod layout;
mod query;
mod scan;
mod write;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use opensearch::auth::Credentials;
use opensearch::cluster::ClusterHealthParts;
use opensearch::http::StatusCode;
use opensearch::http::response::Response;
use opensearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use opensearch::indices::{IndicesCreateParts, IndicesPutMappingParts};
use opensearch::{GetParts, OpenSearch, SearchParts};
use serde_json::{Value as Json, json};
use url::Url;

use super::{
    Change, Document, Error, Field, Found, Index, Outcome, Position, Query, Replaced, Replacement,
    Schema,
};

const READ_TIMEOUT_MS: u64 = 3_000;
const WRITE_TIMEOUT_MS: u64 = 10_000;
/// Rounds for one page. A round that brings too many hits at the cursor again is followed by one
/// for more.
const SEARCH_ROUNDS_MAX: usize = 3;
const SEARCH_GROWTH: usize = 4;

pub struct Opensearch {
    client: OpenSearch,
    prefix: String,
    schemas: BTreeMap<String, Schema>,
    /// All indexes are known to be there.
    prepared: AtomicBool,
}

impl Opensearch {
    /// Connects when it is first used; a server that is down does not hinder the start.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn new(
        url: &str,
        prefix: &str,
        schemas: &BTreeMap<String, Schema>,
    ) -> anyhow::Result<Self> {
        let mut url = Url::parse(url).context("the OpenSearch URL can't be read")?;
        let credentials = credentials(&url)?;
        // They go in a header of their own, and must not show where the URL is logged.
        let bared = url.set_username("").and_then(|()| url.set_password(None));
        bared.map_err(|()| anyhow::anyhow!("the OpenSearch URL has no host"))?;
        // An error says that another part of the process was first: just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut transport = TransportBuilder::new(SingleNodeConnectionPool::new(url))
            .timeout(Duration::from_millis(WRITE_TIMEOUT_MS));
        if let Some(credentials) = credentials {
            transport = transport.auth(credentials);
        }
        Ok(Self {
            client: OpenSearch::new(transport.build()?),
            prefix: prefix.to_owned(),
            schemas: schemas.clone(),
            prepared: AtomicBool::new(false),
        })
    }

    /// Makes the indexes that are not there, and adds new fields to those that are. Each call
    /// that comes before one has succeeded tries it for itself: nobody waits for another.
    pub async fn prepare(&self) -> Result<(), Error> {
        if self.prepared.load(Ordering::Acquire) {
            return Ok(());
        }
        for (index, schema) in &self.schemas {
            let name = self.name(index);
            let indices = self.client.indices();
            let created = indices
                .create(IndicesCreateParts::Index(&name))
                .body(layout::index(schema))
                .send()
                .await
                .map_err(Error::unavailable)?;
            if created.status_code() == StatusCode::BAD_REQUEST {
                // It is there already: then this adds what is new, or says what does not fit.
                let added = indices
                    .put_mapping(IndicesPutMappingParts::Index(&[&name]))
                    .body(layout::mapping(schema))
                    .send()
                    .await
                    .map_err(Error::unavailable)?;
                answer(added).await?;
            } else {
                answer(created).await?;
            }
        }
        self.prepared.store(true, Ordering::Release);
        Ok(())
    }

    fn name(&self, index: &str) -> String {
        format!("{}{index}", self.prefix)
    }

    fn schema(&self, index: &str) -> Result<&Schema, Error> {
        let schema = self.schemas.get(index);
        schema.ok_or_else(|| Error::NotGranted(index.to_owned()))
    }

    async fn run(&self, name: &str, body: &Json) -> Result<query::Answer, Error> {
        let response = self
            .client
            .search(SearchParts::Index(&[name]))
            // Half an answer would look like a whole one.
            .allow_partial_search_results(false)
            .request_timeout(Duration::from_millis(READ_TIMEOUT_MS))
            .body(body)
            .send()
            .await
            .map_err(Error::unavailable)?;
        let response = sound(response).await?;
        let body = response.text().await.map_err(Error::unavailable)?;
        serde_json::from_str(&body).map_err(Error::unavailable)
    }
}

#[async_trait]
impl Index for Opensearch {
    async fn apply(&self, index: &str, changes: &[Change]) -> Result<Vec<Outcome>, Error> {
        self.prepare().await?;
        let schema = self.schema(index)?;
        write::apply(&self.client, &self.name(index), schema, changes).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error> {
        self.prepare().await?;
        let schema = self.schema(index)?;
        let response = self
            .client
            .get(GetParts::IndexId(&self.name(index), id))
            .request_timeout(Duration::from_millis(READ_TIMEOUT_MS))
            .send()
            .await
            .map_err(Error::unavailable)?;
        if response.status_code() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let document = answer(response).await?;
        Ok(Some(layout::fields(schema, &document["_source"])))
    }

    async fn scan(
        &self,
        index: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.prepare().await?;
        let schema = self.schema(index)?;
        scan::scan(&self.client, &self.name(index), schema, after, limit).await
    }

    async fn replace(&self, index: &str, replacement: &Replacement) -> Result<Replaced, Error> {
        self.prepare().await?;
        let schema = self.schema(index)?;
        write::replace(&self.client, &self.name(index), schema, replacement).await
    }

    async fn search(
        &self,
        index: &str,
        query: &Query,
        after: Option<&Position>,
    ) -> Result<Found, Error> {
        self.prepare().await?;
        let schema = self.schema(index)?;
        let name = self.name(index);
        let limit = query.limit as usize;
        // One more tells whether there is more; another makes up for a server that repeats the
        // hit at the cursor.
        let mut size = limit + 2;
        let mut body = query::body(query);
        if !query.facets.is_empty() {
            body["aggs"] = facets::aggregations(query);
        }
        if let Some(after) = after {
            body["search_after"] = query::search_after(query, after);
        }
        let mut kept: Vec<(Position, query::Found)> = Vec::new();
        let mut total = 0;
        let mut counts = Vec::new();
        for round in 0..SEARCH_ROUNDS_MAX {
            body["size"] = json!(size);
            let answer = self.run(&name, &body).await?;
            if round == 0 && !query.facets.is_empty() {
                counts = facets::counts(query, &answer.aggregations)?;
                body["aggs"] = json!({});
            }
            total = answer.hits.total.value;
            let found = answer.hits.hits.len();
            kept.clear();
            for hit in answer.hits.hits {
                let position = hit.position()?;
                // Only what the page begins behind is dropped. Within it, a server that told keys
                // less exactly than it ranks by would else lose one of two hits that look alike.
                let is_behind = after
                    .is_none_or(|after| query.order.is_behind(position.key, &position.id, after));
                if is_behind {
                    kept.push((position, hit));
                }
            }
            if found < size || kept.len() > limit {
                break;
            }
            size *= SEARCH_GROWTH;
        }
        let more = kept.len() > limit;
        kept.truncate(limit);
        kept.sort_by(|(a, _), (b, _)| query.order.compare((a.key, &a.id), (b.key, &b.id)));
        let hits = kept.iter().map(|(_, hit)| hit.read(schema, query));
        let hits = hits.collect();
        let last = kept.pop().filter(|_| more);
        Ok(Found {
            next: last.map(|(position, _)| position),
            hits,
            total,
            facets: counts,
        })
    }

    async fn health(&self) -> Result<(), Error> {
        self.prepare().await?;
        let names: Vec<_> = self.schemas.keys().map(|index| self.name(index)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let response = self
            .client
            .cluster()
            .health(ClusterHealthParts::Index(&names))
            .request_timeout(Duration::from_millis(READ_TIMEOUT_MS))
            .send()
            .await
            .map_err(Error::unavailable)?;
        match answer(response).await?["status"].as_str() {
            Some("green" | "yellow") => Ok(()),
            Some(_) | None => Err(Error::unavailable("a shard is not there")),
        }
    }
}

fn credentials(url: &Url) -> anyhow::Result<Option<Credentials>> {
    if url.username().is_empty() {
        return Ok(None);
    }
    let decode = |text: &str| -> anyhow::Result<String> {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        Ok(decoded
            .context("the OpenSearch URL's credentials can't be read")?
            .into_owned())
    };
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or(""))?;
    Ok(Some(Credentials::Basic(user, password)))
}

/// The body of a good answer.
async fn answer(response: Response) -> Result<Json, Error> {
    let response = sound(response).await?;
    response.json().await.map_err(Error::unavailable)
}

/// A good answer.
async fn sound(response: Response) -> Result<Response, Error> {
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
