//! Changes: read the documents, merge, write them where nobody else has meanwhile.
//!
//! Not `_update`: it knows no version of ours. Not `version_type=external` either: a document has
//! several sources, each with its own version, so these stand in the document.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opensearch::http::request::JsonBody;
use opensearch::params::Refresh;
use opensearch::{BulkParts, MgetParts, OpenSearch};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::super::words::words;
use super::super::{Change, Error, Field, Outcome, Replaced, Replacement, Schema};
use super::generations::{Known, written_by};
use super::layout::{self, ID, VERSIONS, json_of, texts, words_of};
use super::{WRITE_TIMEOUT_MS, answer};

const CONFLICT_ATTEMPTS_MAX: usize = 8;

pub async fn apply(
    client: &OpenSearch,
    index: &str,
    schema: &Schema,
    changes: &[Change],
    known: &Known,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![Outcome::Stale; changes.len()];
    let mut open: BTreeSet<&str> = changes.iter().map(|change| change.id.as_str()).collect();
    for _ in 0..CONFLICT_ATTEMPTS_MAX {
        let mut documents = read(client, index, &open).await?;
        let of_open = changes.iter().zip(&mut outcomes);
        for (change, outcome) in of_open.filter(|(change, _)| open.contains(change.id.as_str())) {
            let document = documents.entry(&change.id).or_default();
            *outcome = document.merge(schema, change);
        }
        documents.retain(|_, document| document.changed);
        known.still_counts()?;
        open = write(client, index, &documents).await?;
        if open.is_empty() {
            return Ok(outcomes);
        }
    }
    Err(Error::unavailable(
        "others keep changing the same documents",
    ))
}

/// What was read and what is written are the same state of it: a change in between is a conflict.
pub async fn replace(
    client: &OpenSearch,
    index: &str,
    schema: &Schema,
    replacement: &Replacement,
    known: &Known,
) -> Result<Replaced, Error> {
    let id = replacement.id.as_str();
    let held = read(client, index, &BTreeSet::from([id])).await?.remove(id);
    let content = held
        .as_ref()
        .map(|held| layout::content(schema, &Json::Object(held.source.clone())));
    if content != replacement.seen {
        return Ok(Replaced::Changed);
    }
    let seen = held.and_then(|held| held.seen);
    let document = match &replacement.becomes {
        Some(becomes) => {
            let mut document = Document {
                seen,
                ..Document::default()
            };
            let versions = becomes.versions.iter();
            let versions = versions.map(|of| (of.source.clone(), json!(of.version)));
            let versions = Json::Object(versions.collect());
            document.source.insert(VERSIONS.into(), versions);
            document.take(schema, id, &becomes.fields);
            document
        }
        None if seen.is_none() => return Ok(Replaced::Replaced),
        None => Document {
            seen,
            is_gone: true,
            ..Document::default()
        },
    };
    known.still_counts()?;
    let conflicts = write(client, index, &BTreeMap::from([(id, document)])).await?;
    Ok(match conflicts.is_empty() {
        true => Replaced::Replaced,
        false => Replaced::Changed,
    })
}

/// A document, as it is to be written.
#[derive(Default)]
struct Document {
    /// Where it stood when it was read; nowhere, if it is new.
    seen: Option<Seen>,
    source: Map<String, Json>,
    changed: bool,
    is_gone: bool,
}

struct Seen {
    seq_no: u64,
    primary_term: u64,
}

impl Document {
    fn merge(&mut self, schema: &Schema, change: &Change) -> Outcome {
        let held = self
            .source
            .get(VERSIONS)
            .and_then(|versions| versions.get(&change.source));
        if held
            .and_then(Json::as_u64)
            .is_some_and(|held| change.version <= held)
        {
            return Outcome::Stale;
        }
        let versions = self.source.entry(VERSIONS).or_insert_with(|| json!({}));
        versions[&change.source] = json!(change.version);
        self.take(schema, &change.id, &change.fields);
        self.changed = true;
        Outcome::Applied
    }

    fn take(&mut self, schema: &Schema, id: &str, fields: &[Field]) {
        self.source.insert(ID.into(), json!(id));
        for field in fields {
            match json_of(&field.value) {
                Some(value) => self.source.insert(field.name.clone(), value),
                None => self.source.remove(&field.name),
            };
        }
        for name in texts(schema) {
            match self.source.get(name).and_then(Json::as_str) {
                Some(text) => {
                    let words = json!(words(text));
                    self.source.insert(words_of(name), words)
                }
                None => self.source.remove(&words_of(name)),
            };
        }
    }
}

async fn read<'a>(
    client: &OpenSearch,
    index: &str,
    ids: &BTreeSet<&'a str>,
) -> Result<BTreeMap<&'a str, Document>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        docs: Vec<Found>,
    }
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        found: bool,
        #[serde(rename = "_seq_no")]
        seq_no: Option<u64>,
        #[serde(rename = "_primary_term")]
        primary_term: Option<u64>,
        #[serde(rename = "_source", default)]
        source: Map<String, Json>,
        error: Option<Json>,
    }
    let response = client
        .mget(MgetParts::Index(index))
        .request_timeout(Duration::from_millis(WRITE_TIMEOUT_MS))
        .body(json!({ "ids": ids }))
        .send()
        .await
        .map_err(Error::unavailable)?;
    let answer: Answer =
        serde_json::from_value(answer(response).await?).map_err(Error::unavailable)?;
    let mut documents = BTreeMap::new();
    for (id, found) in ids.iter().zip(answer.docs) {
        if let Some(error) = found.error {
            let kind = error["type"].as_str().unwrap_or("no type");
            return Err(Error::unavailable(format!(
                "a document can't be read: {kind}"
            )));
        }
        if let (true, Some(seq_no), Some(primary_term)) =
            (found.found, found.seq_no, found.primary_term)
        {
            let document = Document {
                seen: Some(Seen {
                    seq_no,
                    primary_term,
                }),
                source: found.source,
                ..Document::default()
            };
            documents.insert(*id, document);
        }
    }
    Ok(documents)
}

/// Writes them; the answer has those that others changed in the meantime.
async fn write<'a>(
    client: &OpenSearch,
    index: &str,
    documents: &BTreeMap<&'a str, Document>,
) -> Result<BTreeSet<&'a str>, Error> {
    if documents.is_empty() {
        return Ok(BTreeSet::new());
    }
    let lines = documents.iter().flat_map(|(id, document)| {
        let action = match &document.seen {
            Some(seen) => json!({
                (if document.is_gone { "delete" } else { "index" }): {
                    "_id": id,
                    "if_seq_no": seen.seq_no,
                    "if_primary_term": seen.primary_term,
                },
            }),
            None => json!({ "create": { "_id": id } }),
        };
        // What is deleted has no line of its own.
        let source = (!document.is_gone).then(|| Json::Object(document.source.clone()));
        [Some(action), source]
            .into_iter()
            .flatten()
            .map(JsonBody::new)
    });
    let response = client
        .bulk(BulkParts::Index(&written_by(index)))
        // Of an index that is gone there is none, and none is made.
        .require_alias(true)
        // What is acknowledged is seen by the next search.
        .refresh(Refresh::True)
        .request_timeout(Duration::from_millis(WRITE_TIMEOUT_MS))
        .body(lines.collect())
        .send()
        .await
        .map_err(Error::unavailable)?;
    let answer = answer(response).await?;
    let items = answer["items"].as_array().into_iter().flatten();
    let mut conflicts = BTreeSet::new();
    for ((id, document), item) in documents.iter().zip(items) {
        let written = item
            .get("index")
            .or_else(|| item.get("create"))
            .or_else(|| item.get("delete"))
            .unwrap_or(item);
        match written["status"].as_u64() {
            Some(200 | 201) => {}
            Some(409) => {
                conflicts.insert(*id);
            }
            // What is to be deleted is not there any more.
            Some(404) if document.is_gone => {
                conflicts.insert(*id);
            }
            Some(_) | None => {
                let kind = written["error"]["type"].as_str().unwrap_or("no type");
                return Err(Error::unavailable(format!(
                    "a document can't be written: {kind}"
                )));
            }
        }
    }
    Ok(conflicts)
}
