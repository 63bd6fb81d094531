//! `/v1/ops/audits/search`, and the slow pass: whether the documents say what the tables say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use praxis_domain::audit::document::{self, Document, NEXT_SLOT};
use praxis_domain::audit::{Store, Verdict};
use praxis_platform::audit::{Asked, Looked, Range, Report, next_page, note_behind, page_done};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::events::{Delivery, Failure};
use praxis_platform::index::documents::{
    Content, Replaced, Replacement, SourceVersion, replace, scan,
};
use praxis_platform::index::{self, GeoPoint, Value};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::INDEX;
use crate::documents::{AVAILABILITY, PROFILE, field};
use crate::profile;

/// Of `audit_passes`.
const COMPONENT: &str = "search";

/// Why a page can't be looked at.
#[derive(Debug)]
enum Failed {
    Index(index::Error),
    Database(database::Error),
}

/// What a document is healed with: what it was, and what it should be.
struct Truth {
    seen: Option<Content>,
    expected: Option<Content>,
}

/// 503 while the index or the database is away.
pub async fn answer(request: &Request) -> Result<Response, Problem> {
    let asked = Asked::read(request)?;
    let database = Database::open_for(request.traceparent()).await?;
    let report = page(&database, &asked).await?;
    Ok(response::json(StatusCode::OK, &report))
}

/// One page of the slow pass.
pub async fn tick(delivery: &Delivery) -> Result<(), Failure> {
    let database = Database::open_for(delivery.traceparent.as_deref()).await?;
    let Some(asked) = next_page(&database, COMPONENT).await? else {
        return Ok(());
    };
    let report = page(&database, &asked).await?;
    page_done(&database, COMPONENT, report.next_cursor.as_deref()).await?;
    Ok(())
}

/// Documents and practitioners side by side, in the order of their ids: the documents were read first.
async fn page(database: &Database, asked: &Asked) -> Result<Report, Failed> {
    let after = asked.after.as_deref();
    let limit = asked.limit as usize;
    let held = scan(INDEX.to_owned(), asked.after.clone(), asked.limit).await?;
    let truths = truths(database, after, asked.limit).await?;
    // A page that is full says nothing of what is behind its last id.
    let end_of_held = held.last().filter(|_| held.len() == limit);
    let end_of_truths = truths.last_key_value().filter(|_| truths.len() == limit);
    let ends = [
        end_of_held.map(|document| document.id.clone()),
        end_of_truths.map(|(id, _)| id.clone()),
    ];
    let to = ends.into_iter().flatten().min();
    let is_on_page = |id: &str| to.as_deref().is_none_or(|to| id <= to);
    let mut both: BTreeMap<String, Truth> = BTreeMap::new();
    for document in held {
        both.insert(
            document.id,
            Truth {
                seen: Some(document.content),
                expected: None,
            },
        );
    }
    for (id, expected) in truths {
        let truth = both.entry(id).or_insert(Truth {
            seen: None,
            expected: None,
        });
        truth.expected = Some(expected);
    }
    let both = both.into_iter().filter(|(id, _)| is_on_page(id));
    let mut looked: Vec<Looked<Truth>> = both
        .map(|(id, with)| Looked {
            id,
            store: Store::Document,
            verdict: document::compare(
                with.seen.as_ref().map(read).as_ref(),
                with.expected.as_ref().map(read).as_ref(),
            ),
            with,
        })
        .collect();
    let range = Range {
        after,
        to: to.as_deref(),
    };
    note_behind(database, Store::Document, range, &mut looked).await?;
    let mut report = Report::new(to.clone());
    for one in looked {
        let healed = match &one.verdict {
            Verdict::Differs(_) if asked.heals => heal(&one.id, one.with).await?,
            Verdict::Differs(_) | Verdict::Same | Verdict::Behind(_) => false,
        };
        report.add(one.store, &one.id, one.verdict, healed);
    }
    report.tell();
    Ok(report)
}

/// False: it has changed since it was looked at, and the next look says whether it is right.
async fn heal(id: &str, truth: Truth) -> Result<bool, Failed> {
    let replacement = Replacement {
        id: id.to_owned(),
        seen: truth.seen,
        becomes: truth.expected,
    };
    let replaced = replace(INDEX.to_owned(), replacement).await?;
    Ok(replaced == Replaced::Replaced)
}

/// The documents as they should be, of practitioners behind `after`.
async fn truths(
    database: &Database,
    after: Option<&str>,
    limit: u32,
) -> Result<BTreeMap<String, Content>, database::Error> {
    const TRUTHS: &str = "
        select
            p.id::text as id,
            p.name,
            p.specialty,
            p.practice,
            p.city,
            p.country::text as country,
            p.time_zone,
            p.lat,
            p.lon,
            p.rating,
            to_jsonb(p.languages) as languages,
            p.telehealth,
            p.active,
            p.profile_version,
            n.version as next_slot_version,
            extract(epoch from n.next_available_slot)::bigint as next_slot
        from practitioners p
        left join next_slots n on n.practitioner_id = p.id
        where ($1::uuid is null or p.id > $1::uuid)
            and ($2::text is null or p.id::text collate \"C\" > $2::text)
        order by p.id
        limit $3::int";
    let id = after.and_then(|after| Uuid::try_parse(after).ok());
    // A document that is nobody's may have any id.
    let text = after.filter(|_| id.is_none());
    let parameters = vec![
        database::optional(id, database::uuid),
        database::optional(text, database::text),
        ParameterValue::Int32(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    let rows = database.rows(TRUTHS, parameters).await?;
    rows.iter()
        .map(|row| Ok((row.get("id")?, truth(row)?)))
        .collect()
}

fn truth(row: &Row) -> Result<Content, database::Error> {
    let mut fields = profile::fields(row)?;
    let mut versions = vec![of(PROFILE, row.get("profile_version")?)?];
    if let Some(version) = row.get("next_slot_version")? {
        versions.push(of(AVAILABILITY, version)?);
        if let Some(next) = row.optional_instant("next_slot")? {
            fields.push(field(NEXT_SLOT, Value::Date(next.as_millisecond())));
        }
    }
    Ok(Content { versions, fields })
}

fn of(source: &str, version: i64) -> Result<SourceVersion, database::Error> {
    Ok(SourceVersion {
        source: source.to_owned(),
        version: profile::version(version)?,
    })
}

/// A document's content as it is compared.
fn read(content: &Content) -> Document {
    let version = |source| {
        let mut versions = content.versions.iter();
        let found = versions.find(|of| of.source == source);
        found.map(|of| of.version)
    };
    let fields = content.fields.iter();
    let values = fields.filter_map(|field| Some((field.name.clone(), value(&field.value)?)));
    Document {
        profile_version: version(PROFILE),
        next_slot_version: version(AVAILABILITY),
        values: values.collect(),
    }
}

fn value(value: &Value) -> Option<document::Value> {
    Some(match value {
        // The index keeps some texts as keywords, and they come back as texts.
        Value::Keyword(text) | Value::Text(text) => document::Value::Text(text.clone()),
        Value::Keywords(all) => document::Value::Texts(all.clone()),
        Value::Number(number) => document::Value::Number(*number),
        Value::Date(ms) => document::Value::Instant(instant(*ms)),
        Value::Geo(GeoPoint { lat, lon }) => document::Value::Place {
            lat: *lat,
            lon: *lon,
        },
        Value::Boolean(flag) => document::Value::Flag(*flag),
        Value::Absent => return None,
    })
}

/// One that no calendar has is as wrong as the end of time.
fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

impl From<index::Error> for Failed {
    fn from(error: index::Error) -> Self {
        Self::Index(error)
    }
}

impl From<database::Error> for Failed {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Index(error) => error.into(),
            Failed::Database(error) => error.into(),
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Index(error) => error.into(),
            Failed::Database(error) => error.into(),
        }
    }
}
