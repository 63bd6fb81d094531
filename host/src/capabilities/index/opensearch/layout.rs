//! How a document looks in OpenSearch.

use serde_json::{Map, Value as Json, json};

use super::super::schema::RESERVED_PREFIX;
use super::super::{Content, Field, GeoPoint, Schema, SourceVersion, Value};
use crate::manifest::FieldType;

/// The document's id once more: `_id` itself can't be sorted by.
pub const ID: &str = "praxis_id";
/// The version of each source.
pub const VERSIONS: &str = "praxis_versions";

/// What a new index is made with.
pub fn index(schema: &Schema) -> Json {
    json!({
        "mappings": mapping(schema),
    })
}

pub fn mapping(schema: &Schema) -> Json {
    let mut properties: Map<_, _> = schema
        .fields()
        .map(|(name, kind)| (name.to_owned(), property(kind)))
        .collect();
    for name in texts(schema) {
        properties.insert(words_of(name), json!({ "type": "keyword" }));
    }
    properties.insert(ID.into(), json!({ "type": "keyword" }));
    properties.insert(
        VERSIONS.into(),
        json!({ "type": "object", "enabled": false }),
    );
    json!({ "dynamic": "strict", "properties": properties })
}

/// The field with the words of a text, as `words.rs` splits it: no analyzer of the server's own, so
/// that both adapters find the same.
pub fn words_of(text: &str) -> String {
    format!("{RESERVED_PREFIX}words_{text}")
}

/// The fields that are texts.
pub fn texts(schema: &Schema) -> impl Iterator<Item = &str> {
    let texts = schema.fields().filter(|(_, kind)| *kind == FieldType::Text);
    texts.map(|(name, _)| name)
}

fn property(kind: FieldType) -> Json {
    match kind {
        FieldType::Keyword => json!({ "type": "keyword" }),
        FieldType::Number => json!({ "type": "double" }),
        FieldType::Date => json!({ "type": "date", "format": "epoch_millis" }),
        FieldType::GeoPoint => json!({ "type": "geo_point" }),
        FieldType::Boolean => json!({ "type": "boolean" }),
        // The words of a text stand beside it.
        FieldType::Text | FieldType::Stored => {
            json!({ "type": "keyword", "index": false, "doc_values": false })
        }
    }
}

pub fn json_of(value: &Value) -> Option<Json> {
    match value {
        Value::Keyword(text) | Value::Text(text) => Some(json!(text)),
        Value::Keywords(all) => Some(json!(all)),
        Value::Number(number) => Some(json!(number)),
        Value::Date(ms) => Some(json!(ms)),
        Value::Geo(point) => Some(json!({ "lat": point.lat, "lon": point.lon })),
        Value::Boolean(flag) => Some(json!(flag)),
        Value::Absent => None,
    }
}

/// The fields of a stored document that the schema knows.
pub fn fields(schema: &Schema, source: &Json) -> Vec<Field> {
    let fields = schema.fields().filter_map(|(name, kind)| {
        Some(Field {
            name: name.to_owned(),
            value: value_of(kind, source.get(name)?)?,
        })
    });
    fields.collect()
}

/// All of it, versions by source and fields by name.
pub fn content(schema: &Schema, source: &Json) -> Content {
    let versions = source.get(VERSIONS).and_then(Json::as_object);
    let versions = versions.into_iter().flatten();
    let versions = versions.filter_map(|(source, version)| {
        Some(SourceVersion {
            source: source.clone(),
            version: version.as_u64()?,
        })
    });
    let mut versions: Vec<_> = versions.collect();
    versions.sort_by(|a, b| a.source.cmp(&b.source));
    Content {
        versions,
        fields: fields(schema, source),
    }
}

pub fn point_of(json: &Json) -> Option<GeoPoint> {
    Some(GeoPoint {
        lat: json["lat"].as_f64()?,
        lon: json["lon"].as_f64()?,
    })
}

fn keyword_of(json: &Json) -> Option<Value> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    match json {
        Json::Array(all) => all
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .map(Value::Keywords),
        one => text(one).map(Value::Keyword),
    }
}

fn value_of(kind: FieldType, json: &Json) -> Option<Value> {
    match kind {
        FieldType::Keyword => keyword_of(json),
        FieldType::Text | FieldType::Stored => Some(Value::Text(json.as_str()?.to_owned())),
        FieldType::Number => Some(Value::Number(json.as_f64()?)),
        FieldType::Date => Some(Value::Date(json.as_i64()?)),
        FieldType::GeoPoint => Some(Value::Geo(point_of(json)?)),
        FieldType::Boolean => Some(Value::Boolean(json.as_bool()?)),
    }
}
