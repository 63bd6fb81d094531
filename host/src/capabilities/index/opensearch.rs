//! The index in OpenSearch.

mod facets;
mod generations;
mod layout;
mod query;
mod reply;
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
use opensearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use opensearch::indices::{IndicesCreateParts, IndicesPutMappingParts};
use opensearch::{GetParts, OpenSearch, SearchParts};
use serde_json::{Value as Json, json};
use url::Url;

use super::{
    Beside, Change, Document, Error, Field, Found, Generations, Index, Outcome, Position, Query,
    Replaced, Replacement, Role, Schema, conflict,
};
use generations::{Knowledge, index_of, written_by};
use reply::{answer, sound};

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
    knowledge: Knowledge,
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
            knowledge: Knowledge::default(),
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
            let listed = generations::listed(&self.client, &name).await?;
            let state = generations::state(&name, &listed)?;
            let beside = state.beside.map(|beside| beside.generation);
            for generation in std::iter::once(state.current).chain(beside) {
                let index = index_of(&name, generation);
                if !listed.contains_key(&index) && self.create(&index, schema).await? {
                    continue;
                }
                // It is there already: then this adds what is new, or says what does not fit.
                let added = self
                    .client
                    .indices()
                    .put_mapping(IndicesPutMappingParts::Index(&[&index]))
                    .body(layout::mapping(schema))
                    .send()
                    .await
                    .map_err(Error::unavailable)?;
                answer(added).await?;
                generations::let_write(&self.client, &index).await?;
            }
        }
        self.prepared.store(true, Ordering::Release);
        Ok(())
    }

    /// False: another was faster.
    async fn create(&self, index: &str, schema: &Schema) -> Result<bool, Error> {
        let mut body = layout::index(schema);
        body["aliases"] = json!({ written_by(index): {} });
        let created = self
            .client
            .indices()
            .create(IndicesCreateParts::Index(index))
            .body(body)
            .send()
            .await
            .map_err(Error::unavailable)?;
        if created.status_code() == StatusCode::BAD_REQUEST {
            return Ok(false);
        }
        answer(created).await?;
        Ok(true)
    }

    /// What could not be written may have found no index: the next call makes the one that is missing.
    fn written<T>(&self, written: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Unavailable(_)) = written {
            self.prepared.store(false, Ordering::Release);
        }
        written
    }

    /// The generations of an index that is there.
    async fn known(&self, index: &str) -> Result<generations::Known, Error> {
        self.prepare().await?;
        self.knowledge.of(&self.client, &self.name(index)).await
    }

    /// The one that answers.
    async fn current(&self, index: &str) -> Result<String, Error> {
        let known = self.known(index).await?;
        Ok(index_of(&self.name(index), known.state.current))
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
        let schema = self.schema(index)?;
        let known = self.known(index).await?;
        let into = async |generation| {
            let name = index_of(&self.name(index), generation);
            write::apply(&self.client, &name, schema, changes, &known).await
        };
        let Some(Beside { generation, .. }) = known.state.beside else {
            return self.written(into(known.state.current).await);
        };
        let both = futures::try_join!(into(known.state.current), into(generation));
        self.written(both.map(|(outcomes, _)| outcomes))
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Vec<Field>>, Error> {
        let schema = self.schema(index)?;
        let name = self.current(index).await?;
        let response = self
            .client
            .get(GetParts::IndexId(&name, id))
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
        let schema = self.schema(index)?;
        let name = self.current(index).await?;
        scan::scan(&self.client, &name, schema, after, limit).await
    }

    async fn replace(&self, index: &str, replacement: &Replacement) -> Result<Replaced, Error> {
        let schema = self.schema(index)?;
        let known = self.known(index).await?;
        let within = async |generation| {
            let name = index_of(&self.name(index), generation);
            write::replace(&self.client, &name, schema, replacement, &known).await
        };
        let replaced = self.written(within(known.state.current).await)?;
        if let Some(Beside { generation, .. }) = known.state.beside {
            self.written(within(generation).await)?;
        }
        Ok(replaced)
    }

    async fn search(
        &self,
        index: &str,
        query: &Query,
        after: Option<&Position>,
    ) -> Result<Found, Error> {
        let schema = self.schema(index)?;
        let name = self.current(index).await?;
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

    async fn generations(&self, index: &str) -> Result<Generations, Error> {
        self.prepare().await?;
        let name = self.name(index);
        let known = self.knowledge.look(&self.client, &name).await?;
        Ok(known.state)
    }

    async fn begin(&self, index: &str) -> Result<u64, Error> {
        self.prepare().await?;
        let (name, schema) = (self.name(index), self.schema(index)?);
        generations::begin(&self.client, &self.knowledge, &name, schema).await
    }

    async fn load(
        &self,
        index: &str,
        generation: u64,
        changes: &[Change],
    ) -> Result<Vec<Outcome>, Error> {
        let schema = self.schema(index)?;
        let known = self.known(index).await?;
        let building = Beside {
            generation,
            role: Role::Building,
        };
        if known.state.beside != Some(building) {
            return Err(conflict(generation, "being built", &known.state));
        }
        let name = index_of(&self.name(index), generation);
        self.written(write::apply(&self.client, &name, schema, changes, &known).await)
    }

    async fn scan_of(
        &self,
        index: &str,
        generation: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let schema = self.schema(index)?;
        let state = self.known(index).await?.state;
        if !state.has(generation) {
            return Err(conflict(generation, "there", &state));
        }
        let name = index_of(&self.name(index), generation);
        scan::scan(&self.client, &name, schema, after, limit).await
    }

    async fn switch(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.prepare().await?;
        let name = self.name(index);
        generations::switch(&self.client, &self.knowledge, &name, generation).await
    }

    async fn remove(&self, index: &str, generation: u64) -> Result<(), Error> {
        self.prepare().await?;
        let name = self.name(index);
        generations::remove(&self.client, &self.knowledge, &name, generation).await
    }

    async fn health(&self) -> Result<(), Error> {
        let mut names = Vec::new();
        for index in self.schemas.keys() {
            names.push(self.current(index).await?);
        }
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
