//! `/v1/ops/audits/search`, and the slow pass: whether the documents say what the tables say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use praxis_domain::audit::document::{self, Document, NEXT_SLOT};
use praxis_domain::audit::{Store, Verdict};
use praxis_platform::audit::{
    Asked, Failed, Looked, Range, Report, next_page, note_behind, page_done,
};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::events::{Delivery, Failure};
use praxis_platform::index::documents::{
    Content, Document as Held, Replaced, Replacement, SourceVersion, replace, scan,
};
use praxis_platform::index::{GeoPoint, Value};
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

/// What a document is healed with: what it was, and what it should be.
pub struct Truth {
    pub seen: Option<Content>,
    pub expected: Option<Content>,
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
    let held = scan(INDEX.to_owned(), asked.after.clone(), asked.limit).await?;
    let (both, to) = side_by_side(database, held, after, asked.limit).await?;
    let mut looked: Vec<Looked<Truth>> = both
        .into_iter()
        .map(|(id, with)| Looked {
            id,
            store: Store::Document,
            verdict: with.verdict(),
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

impl Truth {
    pub fn verdict(&self) -> Verdict {
        document::compare(
            self.seen.as_ref().map(read).as_ref(),
            self.expected.as_ref().map(read).as_ref(),
        )
    }
}

/// Each document of a scan from `after` on with what it should be, as far as both are known, and up to
/// which id that is; none: to the end.
pub async fn side_by_side(
    database: &Database,
    held: Vec<Held>,
    after: Option<&str>,
    limit: u32,
) -> Result<(BTreeMap<String, Truth>, Option<String>), Failed> {
    let truths = truths(database, after, limit).await?;
    let limit = limit as usize;
    // A page that is full says nothing of what is behind its last id.
    let end_of_held = held.last().filter(|_| held.len() == limit);
    let end_of_truths = truths.last_key_value().filter(|_| truths.len() == limit);
    let ends = [
        end_of_held.map(|document| document.id.clone()),
        end_of_truths.map(|(id, _)| id.clone()),
    ];
    let to = ends.into_iter().flatten().min();
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
    both.retain(|id, _| to.as_ref().is_none_or(|to| id <= to));
    Ok((both, to))
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
pub async fn truths(
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
        where $BEHIND
        order by p.id
        limit $2::int";
    let id = after.and_then(|after| Uuid::try_parse(after).ok());
    // Not all in one, with "or … is null": a plan for all is a walk from the first id on.
    let behind = match (id, after) {
        (Some(_), _) => "p.id > $1::uuid",
        // A document that is nobody's may have any id.
        (None, Some(_)) => "p.id::text collate \"C\" > $1::text",
        (None, None) => "$1::text is null",
    };
    let after = match id {
        Some(id) => database::uuid(id),
        None => database::optional(after, database::text),
    };
    let limit = ParameterValue::Int32(i32::try_from(limit).unwrap_or(i32::MAX));
    let statement = TRUTHS.replace("$BEHIND", behind);
    let rows = database.rows(&statement, vec![after, limit]).await?;
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
